// The health of every tensor and layer over the run: a map, the curve of a row, and what broke first.
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { asProblem } from "@/api/problem";
import { healthQuery } from "@/api/health";
import { LineChart } from "@/charts/line/line-chart";
import { LinkedWindow } from "@/charts/line/window";
import { formatCount, formatLearningRate, formatNumber } from "@/lib/format";
import { Button } from "@/ui/button";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import { gridOf, rowOrder, rowValues, shortName, type HealthGrid } from "./health-grid";
import { HealthMap } from "./health-map";
import styles from "./health-panel.module.css";
import { HEALTH_METRICS, scaleOf, type HealthMetric, type HealthScale } from "./health-scale";
import { useNewRecords } from "./use-new-records";

const CURVE_HEIGHT = 150;

export function HealthPanel({
  run,
  every,
}: {
  run: string;
  /** Steps between two records; 0 when none are made. */
  every: number;
}) {
  const [name, setName] = useState("update_ratio");
  const [firstToBreak, setFirstToBreak] = useState(false);
  const [chosenRow, setChosenRow] = useState<string | null>(null);
  const metric = HEALTH_METRICS.find((one) => one.metric === name) ?? HEALTH_METRICS[0];
  const enabled = useNewRecords(run);
  const { data, error } = useQuery({ ...healthQuery(run, name), enabled });
  const grid = useMemo(() => (data ? gridOf(data) : undefined), [data]);
  const order = useMemo(() => (grid ? rowOrder(grid, firstToBreak) : []), [grid, firstToBreak]);
  if (!metric) return null;
  const empty = !grid || grid.steps.length === 0;
  return (
    <Panel
      title="Health, layer by layer"
      definition={metric.definition}
      data-testid="health"
      controls={
        <>
          <Select
            aria-label="What of it"
            data-testid="health-metric"
            value={name}
            options={HEALTH_METRICS.map((one) => ({ value: one.metric, label: one.label }))}
            onChange={(event) => setName(event.target.value)}
          />
          <Button
            aria-pressed={firstToBreak}
            title="Order the rows by the first step at which each left its own range"
            data-testid="first-to-break"
            onClick={() => setFirstToBreak(!firstToBreak)}
          >
            first to break
          </Button>
        </>
      }
    >
      {error && <ProblemNotice problem={asProblem(error)} />}
      {empty ? (
        <EmptyState title={every > 0 ? "No record yet" : "Not recorded"}>
          {every > 0
            ? `Every ${formatCount(every)} steps each tensor's gradient, weight and update are recorded.`
            : "hooks.health_every is 0 in this run."}
        </EmptyState>
      ) : (
        <Shown
          grid={grid}
          order={order}
          metric={metric}
          chosenRow={chosenRow}
          onChoose={setChosenRow}
        />
      )}
    </Panel>
  );
}

function Shown({
  grid,
  order,
  metric,
  chosenRow,
  onChoose,
}: {
  grid: HealthGrid;
  order: readonly number[];
  metric: HealthMetric;
  chosenRow: string | null;
  onChoose: (row: string | null) => void;
}) {
  const scale = useMemo(() => scaleOf(metric, grid.values), [metric, grid]);
  const format = metric.log ? formatLearningRate : formatNumber;
  const found = chosenRow === null ? -1 : grid.rows.indexOf(chosenRow);
  const chosen = found >= 0 ? found : null;
  const broken = grid.firstAnomaly.filter((step) => step > 0).length;
  return (
    <div className={styles["health"]}>
      <HealthMap
        grid={grid}
        order={order}
        scale={scale}
        chosen={chosen}
        format={format}
        onChoose={(row) => onChoose(grid.rows[row] ?? null)}
      />
      <div className={styles["foot"]}>
        <Legend scale={scale} format={format} />
        <span>
          {broken === 0
            ? "no row left its own range"
            : broken === 1
              ? "1 row left its own range, outlined where it first did"
              : `${formatCount(broken)} rows left their own range, outlined where they first did`}
        </span>
        <Select
          aria-label="Row to draw"
          data-testid="health-row"
          value={chosenRow ?? ""}
          options={[
            { value: "", label: "curve of a row: click it, or choose" },
            ...order.map((row) => {
              const step = grid.firstAnomaly[row] ?? 0;
              const name = shortName(grid.rows[row] ?? "");
              const label = step > 0 ? `${name}, left its range at ${formatCount(step)}` : name;
              return { value: grid.rows[row] ?? "", label };
            }),
          ]}
          onChange={(event) => onChoose(event.target.value || null)}
        />
      </div>
      {chosen !== null && <RowCurve grid={grid} row={chosen} metric={metric} format={format} />}
    </div>
  );
}

function Legend({ scale, format }: { scale: HealthScale; format: (value: number) => string }) {
  const stops = Array.from({ length: 9 }, (_, i) => scale.css(i / 8)).join(", ");
  return (
    <span className={styles["legend"]}>
      {format(scale.low)}
      <i style={{ background: `linear-gradient(to right, ${stops})` }} />
      {format(scale.high)}
    </span>
  );
}

function RowCurve({
  grid,
  row,
  metric,
  format,
}: {
  grid: HealthGrid;
  row: number;
  metric: HealthMetric;
  format: (value: number) => string;
}) {
  const [window] = useState(() => new LinkedWindow());
  const name = shortName(grid.rows[row] ?? "");
  const source = useMemo(() => {
    const columns = {
      x: Float64Array.from(grid.steps),
      y: rowValues(grid, row),
      length: grid.steps.length,
    };
    return {
      lines: () => [{ name, color: "--train" as const, mark: "bold" as const, columns }],
      onChange: () => () => undefined,
    };
  }, [grid, row, name]);
  const options = useMemo(
    () => ({
      logY: metric.log,
      references: metric.middle === undefined ? [] : [{ name: "healthy", y: metric.middle }],
      formatX: (x: number) => formatCount(Math.round(x)),
      formatY: format,
      formatTickY: format,
      tickFactor: 1,
    }),
    [metric, format],
  );
  return (
    <LineChart
      label={`${metric.label} of ${name}`}
      data-testid="health-curve"
      summary={`${metric.label} of ${name} by step.`}
      source={source}
      window={window}
      height={CURVE_HEIGHT}
      options={options}
    />
  );
}
