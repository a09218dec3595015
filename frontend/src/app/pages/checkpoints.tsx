// All saved states of all runs, what they take, and what was deleted.
import { useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { asProblem } from "@/api/problem";
import { CheckpointsTable } from "@/features/checkpoints/checkpoints-table";
import { DamageList } from "@/features/checkpoints/damage-list";
import { DiskUseBar } from "@/features/checkpoints/disk-use-bar";
import { ForkDialog } from "@/features/checkpoints/fork-dialog";
import { filterCheckpoints } from "@/features/checkpoints/sort-checkpoints";
import { TrashList } from "@/features/checkpoints/trash-list";
import { UndoDelete } from "@/features/checkpoints/undo-delete";
import { useShelf } from "@/features/checkpoints/use-checkpoints";
import { runList } from "@/features/runs/run-list";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { RunVerb } from "@/gen/lab/v1/run_pb";
import { formatBytes, formatCount } from "@/lib/format";
import { useShortcut } from "@/lib/use-shortcut";
import { useChannel } from "@/live/use-channel";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { TextInput } from "@/ui/text-input";
import styles from "./checkpoints.module.css";

export function CheckpointsPage() {
  const { checkpoints, unreadable, trash, disk, error } = useShelf();
  const { state: runs } = useChannel("runs", runList);
  const navigate = useNavigate();
  const [filter, setFilter] = useState("");
  const [deleted, setDeleted] = useState<Checkpoint>();
  const [forking, setForking] = useState<Checkpoint>();
  const [refused, setRefused] = useState<unknown>();
  const filterField = useRef<HTMLInputElement>(null);
  useShortcut("/", "Filter the checkpoints", () => filterField.current?.focus());
  const resumable = useMemo(
    () =>
      new Set(
        runs
          ?.filter((run) => run.endTime && run.allowedVerbs.includes(RunVerb.RESUME))
          .map((run) => run.latestCheckpoint),
      ),
    [runs],
  );
  const some = checkpoints !== undefined && checkpoints.length > 0;
  const shown = useMemo(() => filterCheckpoints(checkpoints ?? [], filter), [checkpoints, filter]);
  const bytes = shown.reduce((sum, one) => sum + one.sizeBytes, 0n);
  const problem = error ?? refused;
  return (
    <div className={styles["page"]}>
      <h1 className="visually-hidden">Checkpoints</h1>
      <Panel
        title="Checkpoints"
        controls={
          some && (
            <>
              <span data-testid="checkpoints-total" role="status">
                {shown.length < checkpoints.length && `${formatCount(shown.length)} of `}
                {formatCount(checkpoints.length)} on disk, {formatBytes(bytes)}
              </span>
              <TextInput
                ref={filterField}
                className={styles["filter"]}
                type="search"
                placeholder="Filter by run, step, label, kind"
                aria-label="Filter checkpoints"
                data-testid="checkpoints-filter"
                value={filter}
                onChange={(event) => setFilter(event.target.value)}
              />
            </>
          )
        }
        flush
      >
        {problem !== undefined && problem !== null && (
          <ProblemNotice problem={asProblem(problem)} />
        )}
        {disk !== undefined && <DiskUseBar use={disk} />}
        <DamageList checkpoints={checkpoints ?? []} unreadable={unreadable} />
        {deleted && trash.some((one) => one.name === deleted.name) && (
          <UndoDelete key={deleted.name} deleted={deleted} onDone={() => setDeleted(undefined)} />
        )}
        {some && (
          <CheckpointsTable
            checkpoints={shown}
            filter={filter}
            resumable={resumable}
            onDeleted={setDeleted}
            onFork={setForking}
            onProblem={setRefused}
          />
        )}
        {checkpoints?.length === 0 && (
          <EmptyState title="Nothing is saved">
            Saving is off by default, and off means that nothing is written. On the page of a run
            that trains, press “Save now” or set a rule under “Saving”; or set one in the new-run
            form. To look inside a running model no checkpoint is needed: open Inside.
          </EmptyState>
        )}
      </Panel>
      {trash.length > 0 && (
        <Panel title="Trash" flush data-testid="trash">
          <TrashList checkpoints={trash} />
        </Panel>
      )}
      {forking && (
        <ForkDialog
          key={forking.name}
          checkpoint={forking}
          onClose={() => setForking(undefined)}
          onForked={(run) => void navigate(`/${run}`)}
        />
      )}
    </div>
  );
}
