// What was deleted and can still be taken back.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { CHECKPOINTS, deleteForGood, restoreCheckpoint } from "@/api/checkpoints";
import { asProblem } from "@/api/problem";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { formatBytes, formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/confirm-dialog";
import { ProblemNotice } from "@/ui/problem-notice";
import { placeOf } from "./checkpoint-name";
import styles from "@/ui/trash-list.module.css";

export function TrashList({ checkpoints }: { checkpoints: readonly Checkpoint[] }) {
  return (
    <ul className={styles["list"]}>
      {checkpoints.map((checkpoint) => (
        <TrashItem key={checkpoint.name} checkpoint={checkpoint} />
      ))}
    </ul>
  );
}

function TrashItem({ checkpoint }: { checkpoint: Checkpoint }) {
  const queries = useQueryClient();
  const onSettled = () => queries.invalidateQueries({ queryKey: CHECKPOINTS });
  const restore = useMutation({
    mutationFn: () => restoreCheckpoint(checkpoint.name),
    onSettled,
  });
  const discard = useMutation({ mutationFn: () => deleteForGood(checkpoint.name), onSettled });
  const error = restore.error ?? discard.error;
  return (
    <li className={styles["item"]} data-testid="trash-item" data-checkpoint={checkpoint.name}>
      <span className={styles["what"]}>
        {placeOf(checkpoint.name).run}, step {formatCount(checkpoint.step)},{" "}
        {formatBytes(checkpoint.sizeBytes)}
        {checkpoint.expireTime && (
          <> until {timestampDate(checkpoint.expireTime).toLocaleString()}</>
        )}
      </span>
      <Button busy={restore.isPending} onClick={() => restore.mutate()} data-testid="trash-restore">
        Restore
      </Button>
      <ConfirmDialog
        trigger={
          <Button kind="quiet" busy={discard.isPending}>
            Delete for good
          </Button>
        }
        title={`Delete step ${formatCount(checkpoint.step)} for good?`}
        confirm="Delete for good"
        onConfirm={() => discard.mutate()}
      >
        Its {formatBytes(checkpoint.sizeBytes)} are removed from disk and cannot be taken back.
      </ConfirmDialog>
      {error !== null && <ProblemNotice problem={asProblem(error)} />}
    </li>
  );
}
