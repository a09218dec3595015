// Takes a run back from the trash.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { CHECKPOINTS } from "@/api/checkpoints";
import { asProblem } from "@/api/problem";
import { restoreRun } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { ProblemNotice } from "@/ui/problem-notice";
import { TRASHED_RUNS } from "./run-trash";

export function RestoreRun({
  run,
  word = "Restore",
  onRestored,
}: {
  run: Run;
  word?: string;
  onRestored?: () => void;
}) {
  const queries = useQueryClient();
  const restore = useMutation({
    mutationFn: () => restoreRun(run.name),
    onSuccess: () => onRestored?.(),
    onSettled: async () => {
      await queries.invalidateQueries({ queryKey: TRASHED_RUNS });
      await queries.invalidateQueries({ queryKey: CHECKPOINTS }); // its own came back with it
    },
  });
  return (
    <>
      <Button busy={restore.isPending} data-testid="run-restore" onClick={() => restore.mutate()}>
        {word}
      </Button>
      {restore.error !== null && <ProblemNotice problem={asProblem(restore.error)} />}
    </>
  );
}
