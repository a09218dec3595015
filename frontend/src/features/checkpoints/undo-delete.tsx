// Says what was just moved to the trash, and takes it back.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { CHECKPOINTS, restoreCheckpoint } from "@/api/checkpoints";
import { asProblem } from "@/api/problem";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { ProblemNotice } from "@/ui/problem-notice";
import { placeOf } from "./checkpoint-name";
import styles from "@/ui/trash-list.module.css";

export function UndoDelete({ deleted, onDone }: { deleted: Checkpoint; onDone: () => void }) {
  const queries = useQueryClient();
  const restore = useMutation({
    mutationFn: () => restoreCheckpoint(deleted.name),
    onSuccess: onDone,
    onSettled: () => queries.invalidateQueries({ queryKey: CHECKPOINTS }),
  });
  return (
    <div className={styles["undo"]} role="status" data-testid="undo-delete">
      <span>
        Step {formatCount(deleted.step)} of {placeOf(deleted.name).run} is in the trash.
      </span>
      <Button busy={restore.isPending} onClick={() => restore.mutate()} data-testid="undo">
        Undo
      </Button>
      <Button kind="quiet" onClick={onDone}>
        Dismiss
      </Button>
      {restore.error !== null && <ProblemNotice problem={asProblem(restore.error)} />}
    </div>
  );
}
