// Removes a run and its history, after asking. Checkpoints stay, and the question says so.
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { deleteRun } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/confirm-dialog";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { runId } from "./state-name";

export function DeleteRun({ run, onDeleted }: { run: Run; onDeleted?: () => void }) {
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const id = runId(run.name);
  const remove = async () => {
    setProblem(null);
    try {
      await deleteRun(run.name);
      onDeleted?.();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  return (
    <>
      <ConfirmDialog
        trigger={
          <Button kind="quiet" data-testid="run-delete" aria-label={`Delete ${id}`}>
            Delete
          </Button>
        }
        title={`Delete ${run.displayName || id}?`}
        confirm="Delete run"
        onConfirm={() => void remove()}
      >
        Its metrics, samples and log are removed for good. Its checkpoints stay.
      </ConfirmDialog>
      {problem && <ProblemNotice problem={problem} />}
    </>
  );
}
