// One checkpoint and what can be done with it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Link } from "react-router";
import { CHECKPOINTS, deleteCheckpoint, verifyCheckpoint } from "@/api/checkpoints";
import { asProblem } from "@/api/problem";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { formatAge, formatBytes, formatCount, formatLoss } from "@/lib/format";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/confirm-dialog";
import { ProblemNotice } from "@/ui/problem-notice";
import { insideAddress, placeOf } from "./checkpoint-name";
import styles from "./checkpoints-table.module.css";

export function CheckpointRow({ checkpoint, nowMs }: { checkpoint: Checkpoint; nowMs: number }) {
  const queries = useQueryClient();
  const verify = useMutation({ mutationFn: () => verifyCheckpoint(checkpoint.name) });
  const remove = useMutation({
    mutationFn: () => deleteCheckpoint(checkpoint.name),
    onSettled: () => queries.invalidateQueries({ queryKey: CHECKPOINTS }),
  });
  const place = placeOf(checkpoint.name);
  const created = checkpoint.createTime ? timestampMs(checkpoint.createTime) : nowMs;
  const error = remove.error ?? verify.error;
  const damage = verify.data?.whole === false ? verify.data.damage : [];
  return (
    <>
      <tr data-testid="checkpoint-row" data-checkpoint={checkpoint.name}>
        <td>
          <Link to={`/runs/${place.run}`}>{place.run}</Link>
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
            <ConfirmDialog
              trigger={
                <Button
                  kind="quiet"
                  busy={remove.isPending}
                  aria-label={`Delete the checkpoint of ${place.run} at step ${formatCount(checkpoint.step)}`}
                  data-testid="checkpoint-delete"
                >
                  Delete
                </Button>
              }
              title={`Delete the checkpoint at step ${formatCount(checkpoint.step)} of ${place.run}?`}
              confirm="Delete checkpoint"
              onConfirm={() => remove.mutate()}
            >
              Its {formatBytes(checkpoint.sizeBytes)} are removed from disk for good. The run, its
              metrics and its other checkpoints stay.
            </ConfirmDialog>
          </div>
        </td>
      </tr>
      {(error !== null || damage.length > 0) && (
        <tr>
          <td colSpan={8} className={styles["notice"]}>
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
