// All saved states of all runs, what they take, and what was deleted.
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { CheckpointsTable } from "@/features/checkpoints/checkpoints-table";
import { DiskUseBar } from "@/features/checkpoints/disk-use-bar";
import { TrashList } from "@/features/checkpoints/trash-list";
import { UndoDelete } from "@/features/checkpoints/undo-delete";
import { useShelf } from "@/features/checkpoints/use-checkpoints";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { formatBytes } from "@/lib/format";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";

export function CheckpointsPage() {
  const { checkpoints, trash, disk, error } = useShelf();
  const [deleted, setDeleted] = useState<Checkpoint>();
  const bytes = checkpoints?.reduce((sum, one) => sum + one.sizeBytes, 0n);
  return (
    <>
      <h1 className="visually-hidden">Checkpoints</h1>
      <Panel
        title="Checkpoints"
        controls={
          checkpoints !== undefined &&
          checkpoints.length > 0 && (
            <span data-testid="checkpoints-total">
              {checkpoints.length} on disk, {formatBytes(bytes)}
            </span>
          )
        }
        flush
      >
        {error !== null && <ProblemNotice problem={asProblem(error)} />}
        {disk !== undefined && <DiskUseBar use={disk} />}
        {deleted && trash.some((one) => one.name === deleted.name) && (
          <UndoDelete key={deleted.name} deleted={deleted} onDone={() => setDeleted(undefined)} />
        )}
        {checkpoints !== undefined && checkpoints.length > 0 && (
          <CheckpointsTable checkpoints={checkpoints} onDeleted={setDeleted} />
        )}
        {checkpoints?.length === 0 && (
          <EmptyState title="Nothing is saved">
            Saving is off by default, and off means that nothing is written. Press “save now” on a
            run in training, or turn on saving in the new-run form. To look inside a running model
            no checkpoint is needed: open Inside.
          </EmptyState>
        )}
      </Panel>
      {trash.length > 0 && (
        <Panel title="Trash" flush data-testid="trash">
          <TrashList checkpoints={trash} />
        </Panel>
      )}
    </>
  );
}
