// All saved states of all runs.
import { asProblem } from "@/api/problem";
import { CheckpointsTable } from "@/features/checkpoints/checkpoints-table";
import { useCheckpoints } from "@/features/checkpoints/use-checkpoints";
import { formatBytes } from "@/lib/format";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";

export function CheckpointsPage() {
  const { data: checkpoints, error } = useCheckpoints();
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
        {checkpoints !== undefined && checkpoints.length > 0 && (
          <CheckpointsTable checkpoints={checkpoints} />
        )}
        {checkpoints?.length === 0 && (
          <EmptyState title="Nothing is saved">
            Saving is off by default, and off means that nothing is written. Press “save now” on a
            run in training, or turn on saving in the new-run form. To look inside a running model
            no checkpoint is needed: open Inside.
          </EmptyState>
        )}
      </Panel>
    </>
  );
}
