// All runs in a table: live, filtered, sorted. Only the rows in sight exist, so ten thousand runs scroll like ten.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { RunVerb, type Run } from "@/gen/lab/v1/run_pb";
import { DeleteRun } from "./delete-run";
import { useQueue, type Waiting } from "./queue";
import styles from "./runs-table.module.css";
import { filterRuns, sortRuns, type Order, type SortKey } from "./sort-runs";
import { runId } from "./state-name";
import { TABLE_COLUMNS, type TableColumn } from "./table-columns";
import { useTableSettings } from "./table-settings";
import { useLiveStats } from "./use-live-stats";

const AGES_CHANGE_MS = 5_000;
const ROW_PX = 37;
const ROWS_BESIDE = 10; // kept above and below what is in sight

export function RunsTable({
  runs,
  filter,
  order,
  chosen,
  onChoose,
  onOrder,
  onTag,
  onDeleted,
}: {
  runs: readonly Run[];
  filter: string;
  order: Order;
  /** Ids of the runs that are ticked for comparing. */
  chosen: readonly string[];
  onChoose: (id: string) => void;
  onOrder: (order: Order) => void;
  onTag: (tag: string) => void;
  onDeleted: (trashed: Run) => void;
}) {
  const nowMs = useNow();
  const hidden = useTableSettings((settings) => settings.hidden);
  const columns = TABLE_COLUMNS.filter(({ key }) => !hidden.includes(key));
  const shown = useMemo(() => sortRuns(filterRuns(runs, filter), order), [runs, filter, order]);
  const queue = useQueue(runs);
  const scroll = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- there is no compiler here to mislead
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: ROWS_BESIDE,
    getItemKey: (index) => shown[index]?.name ?? index,
  });
  const inSight = rows.getVirtualItems();
  const above = inSight[0]?.start ?? 0;
  const below = rows.getTotalSize() - (inSight.at(-1)?.end ?? 0);
  return (
    <div ref={scroll} className={styles["scroll"]} tabIndex={0} role="region" aria-label="Runs">
      <table className={styles["table"]} data-testid="runs-table" aria-rowcount={shown.length + 1}>
        <thead>
          <tr>
            <th>
              <span className="visually-hidden">Compare</span>
            </th>
            {columns.map((column) => (
              <HeadCell key={column.key} column={column} order={order} onOrder={onOrder} />
            ))}
            <th className={styles["remove"]}>
              <span className="visually-hidden">Delete</span>
            </th>
          </tr>
        </thead>
        <tbody>
          <Gap heightPx={above} columns={columns.length} />
          {inSight.map(({ index, key }) => {
            const run = shown[index];
            return (
              run && (
                <RunRow
                  key={key}
                  run={run}
                  row={index + 2}
                  columns={columns}
                  waiting={queue.get(run.name)}
                  nowMs={nowMs}
                  chosen={chosen.includes(runId(run.name))}
                  onChoose={onChoose}
                  onTag={onTag}
                  onDeleted={onDeleted}
                />
              )
            );
          })}
          <Gap heightPx={below} columns={columns.length} />
          {shown.length === 0 && (
            <tr>
              <td colSpan={columns.length + 2} className={styles["none"]}>
                No run matches “{filter}”.
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

function useNow(): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), AGES_CHANGE_MS);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}

/** Stands for the rows that are not in sight. */
function Gap({ heightPx, columns }: { heightPx: number; columns: number }) {
  if (heightPx <= 0) return null;
  return (
    <tr aria-hidden="true">
      <td colSpan={columns + 2} className={styles["gap"]} style={{ height: heightPx }} />
    </tr>
  );
}

function HeadCell({
  column: { key, title, definition, number, wide },
  order,
  onOrder,
}: {
  column: TableColumn;
  order: Order;
  onOrder: (order: Order) => void;
}) {
  const mine = order.key === key;
  const sortBy = (by: SortKey) =>
    onOrder({ key: by, descending: order.key === by && !order.descending });
  return (
    <th
      className={classes(number && "number", wide && "wide")}
      aria-sort={!mine ? undefined : order.descending ? "descending" : "ascending"}
    >
      <button
        type="button"
        title={definition}
        onClick={() => sortBy(key)}
        data-testid={`sort-${key}`}
      >
        {title}
        <span className={styles["arrow"]} aria-hidden="true">
          {!mine ? "" : order.descending ? "▾" : "▴"}
        </span>
      </button>
    </th>
  );
}

function RunRow({
  run,
  row,
  columns,
  waiting,
  nowMs,
  chosen,
  onChoose,
  onTag,
  onDeleted,
}: {
  run: Run;
  row: number;
  columns: readonly TableColumn[];
  waiting: Waiting | undefined;
  nowMs: number;
  chosen: boolean;
  onChoose: (id: string) => void;
  onTag: (tag: string) => void;
  onDeleted: (trashed: Run) => void;
}) {
  const id = runId(run.name);
  const stats = useLiveStats(run);
  return (
    <tr data-testid="run-row" data-run={id} aria-rowindex={row}>
      <td className={styles["choice"]}>
        <input
          type="checkbox"
          checked={chosen}
          aria-label={`Compare ${run.displayName || id}`}
          data-testid="run-choose"
          onChange={() => onChoose(id)}
        />
      </td>
      {columns.map(({ key, number, wide, cell }) => (
        <td key={key} className={classes(number && "number", wide && "wide", key)}>
          {cell({ run, stats, nowMs, waiting, onTag })}
        </td>
      ))}
      <td className={styles["remove"]}>
        {run.allowedVerbs.includes(RunVerb.DELETE) && <DeleteRun run={run} onDeleted={onDeleted} />}
      </td>
    </tr>
  );
}

function classes(...names: (string | false | undefined)[]): string {
  return names.flatMap((name) => (name ? (styles[name] ?? []) : [])).join(" ");
}
