// The runs that were deleted and can still be taken back, and a word about the one that was deleted just now.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { asProblem } from "@/api/problem";
import { deleteRunForGood, listTrashedRuns } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/confirm-dialog";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { RestoreRun } from "./restore-run";
import styles from "@/ui/trash-list.module.css";
import { runId } from "./state-name";

export const TRASHED_RUNS = ["trashed runs"] as const;

/** `listed` is how many runs are not in the trash: when that changes, somebody deleted or restored one. */
function trashQuery(listed: number) {
  return queryOptions({
    queryKey: [...TRASHED_RUNS, listed],
    queryFn: ({ signal }) => listTrashedRuns(signal),
    placeholderData: (before) => before,
  });
}

export function RunTrash({ listed }: { listed: number }) {
  const { data, error } = useQuery(trashQuery(listed));
  if (error) return <ProblemNotice problem={asProblem(error)} />;
  if (data === undefined || data.length === 0) return null;
  return (
    <Panel title={`Trash (${formatCount(data.length)})`} flush data-testid="run-trash">
      <ul className={styles["list"]}>
        {data.map((run) => (
          <TrashedRun key={run.name} run={run} />
        ))}
      </ul>
    </Panel>
  );
}

export function UndoDeleteRun({ deleted, onDone }: { deleted: Run; onDone: () => void }) {
  return (
    <div className={styles["undo"]} role="status" data-testid="undo-delete-run">
      <span>{called(deleted)} is in the trash, its checkpoints with it.</span>
      <RestoreRun run={deleted} word="Undo" onRestored={onDone} />
      <Button kind="quiet" onClick={onDone}>
        Dismiss
      </Button>
    </div>
  );
}

function TrashedRun({ run }: { run: Run }) {
  const queries = useQueryClient();
  const discard = useMutation({
    mutationFn: () => deleteRunForGood(run.name),
    onSettled: () => queries.invalidateQueries({ queryKey: TRASHED_RUNS }),
  });
  return (
    <li className={styles["item"]} data-testid="trashed-run" data-run={runId(run.name)}>
      <span className={styles["what"]}>
        {called(run)}, step {formatCount(run.stats?.step)}
        {run.expireTime && <>, until {timestampDate(run.expireTime).toLocaleString()}</>}
      </span>
      <RestoreRun run={run} />
      <ConfirmDialog
        trigger={
          <Button kind="quiet" busy={discard.isPending} data-testid="run-delete-for-good">
            Delete for good
          </Button>
        }
        title={`Delete ${called(run)} for good?`}
        confirm="Delete for good"
        onConfirm={() => discard.mutate()}
      >
        Its metrics, samples and log, and the checkpoints that went to the trash with it, are
        removed from disk and cannot be taken back.
      </ConfirmDialog>
      {discard.error !== null && <ProblemNotice problem={asProblem(discard.error)} />}
    </li>
  );
}

function called(run: Run): string {
  return run.displayName || runId(run.name);
}
