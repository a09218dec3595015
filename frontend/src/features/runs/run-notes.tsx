// What people write about a run. What is typed here stays until it is saved or given up, whatever arrives meanwhile.
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { updateRun } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { TextArea } from "@/ui/text-area";
import styles from "./run-notes.module.css";

export function RunNotes({ run }: { run: Run }) {
  const [draft, setDraft] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const changed = draft !== null && draft !== run.notes;
  const giveUp = () => {
    setDraft(null);
    setProblem(null);
  };
  const save = async () => {
    if (draft === null) return;
    setBusy(true);
    try {
      await updateRun(run.name, { notes: draft });
      giveUp();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel
      title="Notes"
      controls={
        changed && (
          <>
            <Button kind="quiet" onClick={giveUp} data-testid="notes-give-up">
              Give up
            </Button>
            <Button busy={busy} onClick={() => void save()} data-testid="notes-save">
              Save notes
            </Button>
          </>
        )
      }
    >
      {problem && <ProblemNotice problem={problem} />}
      <TextArea
        className={styles["notes"]}
        rows={4}
        value={draft ?? run.notes}
        placeholder="What you try with this run, what you expect, what came out"
        aria-label="Notes on this run"
        data-testid="run-notes"
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void save();
        }}
      />
    </Panel>
  );
}
