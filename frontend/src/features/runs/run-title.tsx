// The name people call a run by; changed in place.
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { updateRun } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { TextInput } from "@/ui/text-input";
import styles from "./run-title.module.css";
import { runId } from "./state-name";

export function RunTitle({ run }: { run: Run }) {
  const name = run.displayName || runId(run.name);
  const [draft, setDraft] = useState<string | null>(null);
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const leave = () => {
    setDraft(null);
    setProblem(null);
  };
  const save = async () => {
    const displayName = draft?.trim() ?? "";
    if (displayName === name) {
      leave();
      return;
    }
    try {
      // The channel of the run brings the new name, here and in every other window.
      await updateRun(run.name, { displayName });
      leave();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };

  if (draft === null) {
    return (
      <>
        <h1 data-testid="run-name">{name}</h1>
        <Button
          kind="quiet"
          className={styles["rename"]}
          aria-label={`Rename ${name}`}
          data-testid="run-rename"
          onClick={() => setDraft(name)}
        >
          Rename
        </Button>
      </>
    );
  }
  return (
    <form
      className={styles["form"]}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") leave();
      }}
    >
      <h1 className="visually-hidden" data-testid="run-name">
        {name}
      </h1>
      <TextInput
        autoFocus
        value={draft}
        aria-label="Name of this run"
        aria-invalid={problem !== null}
        data-testid="run-rename-field"
        onFocus={(event) => event.target.select()}
        onChange={(event) => setDraft(event.target.value)}
      />
      <Button type="submit" data-testid="run-rename-save">
        Save
      </Button>
      <Button kind="quiet" onClick={leave}>
        Cancel
      </Button>
      {problem && <ProblemNotice problem={problem} />}
    </form>
  );
}
