// Checkpoints in a table, sorted. Only the rows in sight exist, so thousands scroll like ten.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { CHECKPOINT_COLUMNS, type CheckpointColumn } from "./checkpoint-columns";
import { CheckpointRow, type RowActions } from "./checkpoint-row";
import styles from "./checkpoints-table.module.css";
import { FIRST_ORDER, sortCheckpoints, type Order } from "./sort-checkpoints";

const AGES_CHANGE_MS = 5_000;
const ROW_PX = 37;
const ROWS_BESIDE = 10; // kept above and below what is in sight

export function CheckpointsTable({
  checkpoints,
  filter,
  resumable,
  ...actions
}: RowActions & {
  /** Those that the filter leaves. */
  checkpoints: readonly Checkpoint[];
  filter: string;
  /** Names of those from which a run at rest would go on. */
  resumable: ReadonlySet<string>;
}) {
  const nowMs = useNow();
  const [order, setOrder] = useState<Order>(FIRST_ORDER);
  const shown = useMemo(() => sortCheckpoints(checkpoints, order), [checkpoints, order]);
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
    <div
      ref={scroll}
      className={styles["scroll"]}
      tabIndex={0}
      role="region"
      aria-label="Table of checkpoints"
    >
      <table
        className={styles["table"]}
        data-testid="checkpoints-table"
        aria-rowcount={shown.length + 1}
      >
        <thead>
          <tr>
            {CHECKPOINT_COLUMNS.map((column) => (
              <HeadCell key={column.key} column={column} order={order} onOrder={setOrder} />
            ))}
            <th>
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          <Gap heightPx={above} />
          {inSight.map(({ index, key }) => {
            const checkpoint = shown[index];
            return (
              checkpoint && (
                <CheckpointRow
                  key={key}
                  checkpoint={checkpoint}
                  nowMs={nowMs}
                  row={index + 2}
                  resumable={resumable.has(checkpoint.name)}
                  {...actions}
                />
              )
            );
          })}
          <Gap heightPx={below} />
          {shown.length === 0 && (
            <tr>
              <td colSpan={CHECKPOINT_COLUMNS.length + 1} className={styles["none"]}>
                No checkpoint matches “{filter}”.
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
function Gap({ heightPx }: { heightPx: number }) {
  if (heightPx <= 0) return null;
  return (
    <tr aria-hidden="true">
      <td
        colSpan={CHECKPOINT_COLUMNS.length + 1}
        className={styles["gap"]}
        style={{ height: heightPx }}
      />
    </tr>
  );
}

function HeadCell({
  column: { key, title, definition, number, wide },
  order,
  onOrder,
}: {
  column: CheckpointColumn;
  order: Order;
  onOrder: (order: Order) => void;
}) {
  const mine = order.key === key;
  return (
    <th
      className={[number && styles["number"], wide && styles["wide"]].filter(Boolean).join(" ")}
      aria-sort={!mine ? undefined : order.descending ? "descending" : "ascending"}
    >
      <button
        type="button"
        title={definition}
        onClick={() => onOrder({ key, descending: mine && !order.descending })}
        data-testid={`sort-checkpoints-${key}`}
      >
        {title}
        <span className={styles["arrow"]} aria-hidden="true">
          {!mine ? "" : order.descending ? "▾" : "▴"}
        </span>
      </button>
    </th>
  );
}
