// One checkpoint and what can be done with it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import {
  CHECKPOINTS,
  SAVED,
  deleteCheckpoint,
  downloadAddress,
  pinCheckpoint,
  verifyCheckpoint,
  type Shelf,
} from "@/api/checkpoints";
import { resumeRun } from "@/api/runs";
import { CheckpointKind, type Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { Menu, type MenuItem } from "@/ui/menu";
import { CHECKPOINT_COLUMNS } from "./checkpoint-columns";
import { insideAddress, placeOf } from "./checkpoint-name";
import styles from "./checkpoints-table.module.css";

export interface RowActions {
  /** Told when it is in the trash. */
  onDeleted: (checkpoint: Checkpoint) => void;
  onFork: (checkpoint: Checkpoint) => void;
  /** What was refused; undefined when something is tried anew. */
  onProblem: (error: unknown) => void;
}

export function CheckpointRow({
  checkpoint,
  nowMs,
  row,
  resumable,
  onDeleted,
  onFork,
  onProblem,
}: RowActions & {
  checkpoint: Checkpoint;
  nowMs: number;
  /** Its place in the whole table. */
  row: number;
  /** Whether its run is at rest and would go on from just this one. */
  resumable: boolean;
}) {
  const queries = useQueryClient();
  const again = {
    onMutate: () => onProblem(undefined),
    onError: onProblem,
    onSettled: () => queries.invalidateQueries({ queryKey: CHECKPOINTS }),
  };
  const verify = useMutation({ mutationFn: () => verifyCheckpoint(checkpoint.name), ...again });
  const pin = useMutation({
    mutationFn: () => pinCheckpoint(checkpoint.name, !checkpoint.pinned),
    ...again,
  });
  const remove = useMutation({
    mutationFn: () => deleteCheckpoint(checkpoint.name),
    ...again,
    onSuccess: () => {
      // At once: with thousands, asking for all of them anew takes a while.
      queries.setQueriesData<Shelf>(
        { queryKey: SAVED },
        (shelf) => shelf && without(shelf, checkpoint),
      );
      onDeleted(checkpoint);
    },
  });
  const place = placeOf(checkpoint.name);
  const resume = useMutation({ mutationFn: () => resumeRun(`runs/${place.run}`), ...again });
  const more: MenuItem[] = [];
  if (resumable) {
    more.push({ label: "Resume the run from here", onSelect: () => resume.mutate() });
  }
  if (checkpoint.kind === CheckpointKind.FULL) {
    more.push({
      label: "Fork …",
      hint: "a new run from here, with other settings",
      onSelect: () => onFork(checkpoint),
      "data-testid": "checkpoint-fork",
    });
  }
  more.push(
    { label: "Verify", narrow: true, onSelect: () => verify.mutate() },
    {
      label: checkpoint.pinned ? "Unpin" : "Pin",
      narrow: true,
      onSelect: () => pin.mutate(),
    },
    {
      label: "Download folder",
      hint: "a .tar that transformers opens once unpacked",
      onSelect: () => window.location.assign(downloadAddress(checkpoint.name, "folder")),
    },
    {
      label: "Download weights",
      hint: "one .safetensors file",
      onSelect: () => window.location.assign(downloadAddress(checkpoint.name, "weights")),
    },
  );
  if (!checkpoint.pinned) {
    more.push({ label: "Delete", narrow: true, onSelect: () => remove.mutate() });
  }
  return (
    <tr data-testid="checkpoint-row" data-checkpoint={checkpoint.name} aria-rowindex={row}>
      {CHECKPOINT_COLUMNS.map(({ key, number, wide, cell }) => (
        <td
          key={key}
          className={[number && styles["number"], wide && styles["wide"]].filter(Boolean).join(" ")}
        >
          {cell(checkpoint, nowMs)}
        </td>
      ))}
      <td>
        <div className={styles["actions"]}>
          <Link to={insideAddress(checkpoint.name)} data-testid="checkpoint-inside">
            Look inside
          </Link>
          <Button
            kind="quiet"
            className={styles["wide"]}
            busy={verify.isPending}
            onClick={() => verify.mutate()}
            title="Hashes every file again and compares with the manifest"
            data-testid="checkpoint-verify"
          >
            Verify
          </Button>
          <Button
            kind="quiet"
            className={styles["wide"]}
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
            className={styles["wide"]}
            busy={remove.isPending}
            disabled={checkpoint.pinned}
            title={checkpoint.pinned ? "Unpin it first" : "To the trash, and back for a while"}
            onClick={() => remove.mutate()}
            aria-label={`Delete the checkpoint of ${place.run} at step ${formatCount(checkpoint.step)}`}
            data-testid="checkpoint-delete"
          >
            Delete
          </Button>
          <Menu
            items={more}
            trigger={
              <Button
                kind="quiet"
                busy={resume.isPending}
                aria-label={`More for ${place.run} at step ${formatCount(checkpoint.step)}`}
                data-testid="checkpoint-more"
              >
                ⋯
              </Button>
            }
          />
        </div>
      </td>
    </tr>
  );
}

function without(shelf: Shelf, gone: Checkpoint): Shelf {
  return { ...shelf, checkpoints: shelf.checkpoints.filter((one) => one.name !== gone.name) };
}
