// One checkpoint and what can be done with it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Link } from "react-router";
import { CHECKPOINTS, deleteCheckpoint, pinCheckpoint, verifyCheckpoint } from "@/api/checkpoints";
import { asProblem } from "@/api/problem";
import { CheckpointKind, type Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { formatAge, formatBytes, formatCount, formatLoss } from "@/lib/format";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { ProblemNotice } from "@/ui/problem-notice";
import { insideAddress, placeOf } from "./checkpoint-name";
import styles from "./checkpoints-table.module.css";

export function CheckpointRow({
  checkpoint,
  nowMs,
  onDeleted,
}: {
  checkpoint: Checkpoint;
  nowMs: number;
  /** Told when it is in the trash. */
  onDeleted: (checkpoint: Checkpoint) => void;
}) {
  const queries = useQueryClient();
  const verify = useMutation({ mutationFn: () => verifyCheckpoint(checkpoint.name) });
  const remove = useMutation({
    mutationFn: () => deleteCheckpoint(checkpoint.name),
    onSuccess: () => onDeleted(checkpoint),
    onSettled: () => queries.invalidateQueries({ queryKey: CHECKPOINTS }),
  });
  const pin = useMutation({
    mutationFn: () => pinCheckpoint(checkpoint.name, !checkpoint.pinned),
    onSettled: () => queries.invalidateQueries({ queryKey: CHECKPOINTS }),
  });
  const imported = checkpoint.kind === CheckpointKind.WEIGHTS;
  const place = placeOf(checkpoint.name);
  const created = checkpoint.createTime ? timestampMs(checkpoint.createTime) : nowMs;
  const error = remove.error ?? pin.error ?? verify.error;
  const damage = verify.data?.whole === false ? verify.data.damage : [];
  return (
    <>
      <tr data-testid="checkpoint-row" data-checkpoint={checkpoint.name}>
        <td>{imported ? place.checkpoint : <Link to={`/runs/${place.run}`}>{place.run}</Link>}</td>
        <td
          title={imported ? "Weights from elsewhere: can be looked into, not resumed" : undefined}
        >
          {imported ? "import" : "full"}
        </td>
        <td className={styles["number"]} data-testid="checkpoint-step">
          {formatCount(checkpoint.step)}
        </td>
        <td className={styles["number"]}>{formatLoss(checkpoint.loss)}</td>
        <td className={styles["number"]}>{formatLoss(checkpoint.validationLoss)}</td>
        <td className={styles["number"]}>{formatBytes(checkpoint.sizeBytes)}</td>
        <td className={styles["number"]} title={new Date(created).toLocaleString()}>
          {formatAge(Math.max(0, (nowMs - created) / 1000))}
        </td>
        <td className={styles["verdict"]}>
          {checkpoint.pinned && (
            <Badge shape="square" data-testid="checkpoint-pinned">
              pinned
            </Badge>
          )}
          {verify.data && (
            <Badge
              tone={verify.data.whole ? "done" : "failed"}
              shape={verify.data.whole ? "check" : "cross"}
              data-testid="checkpoint-verdict"
            >
              {verify.data.whole ? "whole" : "damaged"}
            </Badge>
          )}
        </td>
        <td>
          <div className={styles["actions"]}>
            <Link to={insideAddress(checkpoint.name)} data-testid="checkpoint-inside">
              Look inside
            </Link>
            <Button
              kind="quiet"
              busy={verify.isPending}
              onClick={() => verify.mutate()}
              title="Hashes every file again and compares with the manifest"
              data-testid="checkpoint-verify"
            >
              Verify
            </Button>
            <Button
              kind="quiet"
              aria-pressed={checkpoint.pinned}
              busy={pin.isPending}
              onClick={() => pin.mutate()}
              title="A pinned checkpoint is not deleted, by nobody and no policy"
              data-testid="checkpoint-pin"
            >
              {checkpoint.pinned ? "Unpin" : "Pin"}
            </Button>
            <Button
              kind="quiet"
              busy={remove.isPending}
              disabled={checkpoint.pinned}
              title={checkpoint.pinned ? "Unpin it first" : "To the trash, and back for a while"}
              onClick={() => remove.mutate()}
              aria-label={`Delete the checkpoint of ${place.run} at step ${formatCount(checkpoint.step)}`}
              data-testid="checkpoint-delete"
            >
              Delete
            </Button>
          </div>
        </td>
      </tr>
      {(error !== null || damage.length > 0) && (
        <tr>
          <td colSpan={9} className={styles["notice"]}>
            {error !== null && <ProblemNotice problem={asProblem(error)} />}
            {damage.length > 0 && (
              <ul className={styles["damage"]}>
                {damage.map((line) => (
                  <li key={line}>{line}</li>
                ))}
              </ul>
            )}
          </td>
        </tr>
      )}
    </>
  );
}
