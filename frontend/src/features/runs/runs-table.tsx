// All runs in a table: live, filtered, sorted.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useEffect, useState } from "react";
import { Link } from "react-router";
import { RunVerb, type Run } from "@/gen/lab/v1/run_pb";
import { runColorVariable } from "@/lib/colors";
import { formatAge, formatCount, formatLoss, formatShare } from "@/lib/format";
import { DeleteRun } from "./delete-run";
import styles from "./runs-table.module.css";
import { filterRuns, sortRuns, type Order, type SortKey } from "./sort-runs";
import { StateBadge } from "./state-badge";
import { runId } from "./state-name";
import { useLiveStats } from "./use-live-stats";

const COLUMNS: readonly { key: SortKey; title: string; number?: boolean }[] = [
  { key: "run", title: "Run" },
  { key: "state", title: "State" },
  { key: "preset", title: "Preset" },
  { key: "corpus", title: "Corpus" },
  { key: "progress", title: "Progress" },
  { key: "step", title: "Step", number: true },
  { key: "loss", title: "Loss", number: true },
  { key: "validation", title: "Val. loss", number: true },
  { key: "speed", title: "Tokens/s", number: true },
  { key: "age", title: "Age", number: true },
];
const AGES_CHANGE_MS = 5_000;

export function RunsTable({
  runs,
  filter,
  chosen,
  onChoose,
}: {
  runs: readonly Run[];
  filter: string;
  /** Ids of the runs that are ticked for comparing. */
  chosen: readonly string[];
  onChoose: (id: string) => void;
}) {
  const [order, setOrder] = useState<Order>({ key: "age", descending: false });
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), AGES_CHANGE_MS);
    return () => clearInterval(timer);
  }, []);
  const shown = sortRuns(filterRuns(runs, filter), order);
  const sortBy = (key: SortKey) =>
    setOrder((before) => ({ key, descending: before.key === key && !before.descending }));

  return (
    <div className={styles["scroll"]} tabIndex={0} role="region" aria-label="Runs">
      <table className={styles["table"]} data-testid="runs-table">
        <thead>
          <tr>
            <th>
              <span className="visually-hidden">Compare</span>
            </th>
            {COLUMNS.map(({ key, title, number }) => (
              <th
                key={key}
                className={number ? styles["number"] : undefined}
                aria-sort={
                  order.key !== key ? undefined : order.descending ? "descending" : "ascending"
                }
              >
                <button type="button" onClick={() => sortBy(key)} data-testid={`sort-${key}`}>
                  {title}
                  <span className={styles["arrow"]} aria-hidden="true">
                    {order.key !== key ? "" : order.descending ? "▾" : "▴"}
                  </span>
                </button>
              </th>
            ))}
            <th>
              <span className="visually-hidden">Delete</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((run) => (
            <RunRow
              key={run.name}
              run={run}
              nowMs={nowMs}
              chosen={chosen.includes(runId(run.name))}
              onChoose={onChoose}
            />
          ))}
          {shown.length === 0 && (
            <tr>
              <td colSpan={COLUMNS.length + 2} className={styles["none"]}>
                No run matches “{filter}”.
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

function RunRow({
  run,
  nowMs,
  chosen,
  onChoose,
}: {
  run: Run;
  nowMs: number;
  chosen: boolean;
  onChoose: (id: string) => void;
}) {
  const { spec } = run;
  const id = runId(run.name);
  const stats = useLiveStats(run);
  const total = run.stats?.totalSteps ?? 0;
  const share = total > 0 ? stats.step / total : 0;
  const bornMs = run.createTime ? timestampMs(run.createTime) : nowMs;
  return (
    <tr data-testid="run-row" data-run={id}>
      <td className={styles["choice"]}>
        <input
          type="checkbox"
          checked={chosen}
          aria-label={`Compare ${run.displayName || id}`}
          data-testid="run-choose"
          onChange={() => onChoose(id)}
        />
      </td>
      <td className={styles["name"]}>
        <span
          className={styles["swatch"]}
          style={{ background: `var(${runColorVariable(run.name)})` }}
        />
        <Link to={`/runs/${id}`} data-testid="run-link">
          {run.displayName || id}
        </Link>
      </td>
      <td className={styles["state"]}>
        <StateBadge state={run.state} />
      </td>
      <td>{run.preset}</td>
      <td>{spec?.data?.corpus}</td>
      <td className={styles["progress"]}>
        <progress value={share} max={1} aria-label={`${formatShare(share)} done`} />
        <span>{formatShare(share)}</span>
      </td>
      <td className={styles["number"]} data-testid="run-row-step">
        {formatCount(stats.step)}
      </td>
      <td className={styles["number"]}>{formatLoss(stats.loss)}</td>
      <td className={styles["number"]}>{formatLoss(stats.validationLoss)}</td>
      <td className={styles["number"]}>{formatCount(stats.tokensPerSec)}</td>
      <td className={styles["number"]}>{formatAge((nowMs - bornMs) / 1000)}</td>
      <td>{run.allowedVerbs.includes(RunVerb.DELETE) && <DeleteRun run={run} />}</td>
    </tr>
  );
}
