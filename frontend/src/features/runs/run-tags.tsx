// The tags of a run; changed in place.
import { useState } from "react";
import { Link } from "react-router";
import { asProblem } from "@/api/problem";
import { updateRun } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { TextInput } from "@/ui/text-input";
import styles from "./run-tags.module.css";

export function RunTags({ run }: { run: Run }) {
  const [draft, setDraft] = useState<string | null>(null);
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const leave = () => {
    setDraft(null);
    setProblem(null);
  };
  const save = async () => {
    try {
      const tags = (draft ?? "").split(",").filter((tag) => tag.trim() !== "");
      await updateRun(run.name, { tags: { tags } });
      leave();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  if (draft === null) {
    return (
      <span className={styles["tags"]} data-testid="run-tags">
        {run.tags.map((tag) => (
          <Link key={tag} className={styles["tag"]} to={`/runs?q=${encodeURIComponent(tag)}`}>
            {tag}
          </Link>
        ))}
        <Button
          kind="quiet"
          data-testid="run-tags-edit"
          onClick={() => setDraft(run.tags.join(", "))}
        >
          {run.tags.length === 0 ? "Add tags" : "Edit tags"}
        </Button>
      </span>
    );
  }
  return (
    <form
      className={styles["tags"]}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") leave();
      }}
    >
      <TextInput
        autoFocus
        value={draft}
        aria-label="Tags, with commas between"
        aria-invalid={problem !== null}
        data-testid="run-tags-field"
        onChange={(event) => setDraft(event.target.value)}
      />
      <Button type="submit" data-testid="run-tags-save">
        Save
      </Button>
      <Button kind="quiet" onClick={leave}>
        Cancel
      </Button>
      {problem && <ProblemNotice problem={problem} />}
    </form>
  );
}
