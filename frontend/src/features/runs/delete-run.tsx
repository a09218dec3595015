// Moves a run to the trash, from where it can be taken back; so it is not asked twice.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { asProblem } from "@/api/problem";
import { deleteRun } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { ProblemNotice } from "@/ui/problem-notice";
import { TRASHED_RUNS } from "./run-trash";
import { runId } from "./state-name";

export function DeleteRun({ run, onDeleted }: { run: Run; onDeleted?: (trashed: Run) => void }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteRun(run.name),
    onSuccess: (trashed) => trashed && onDeleted?.(trashed),
    onSettled: () => queries.invalidateQueries({ queryKey: TRASHED_RUNS }),
  });
  return (
    <>
      <Button
        kind="quiet"
        busy={remove.isPending}
        data-testid="run-delete"
        aria-label={`Delete ${run.displayName || runId(run.name)}`}
        title="To the trash, with its checkpoints; it can be taken back"
        onClick={() => remove.mutate()}
      >
        Delete
      </Button>
      {remove.error !== null && <ProblemNotice problem={asProblem(remove.error)} />}
    </>
  );
}
