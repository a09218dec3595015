// Four metrics side by side, their zoom and cursor linked with the loss.
import { useMemo } from "react";
import { LineChart } from "@/charts/line/line-chart";
import type { Run } from "@/gen/lab/v1/run_pb";
import type { LinkedWindow } from "@/charts/line/window";
import { formatBytes, formatCount, formatLearningRate, formatNumber } from "@/lib/format";
import { Panel } from "@/ui/panel";
import { formatAxis, type Axis } from "./axis";
import { useChartSettings } from "./chart-settings";
import styles from "./small-charts.module.css";
import { DEFINITIONS } from "./lesson";
import { metricSource, rateSource } from "./sources";
import type { Metric, StepSeries } from "./step-series";

const HEIGHT = 150;
const MEBIBYTE = 1024 * 1024;

interface Small {
  metric: Metric;
  title: string;
  definition: string;
  testId: string;
  format: (y: number) => string;
  tickFactor: number;
}

const SMALL: readonly Small[] = [
  {
    metric: "learning_rate",
    title: "Learning rate",
    definition: DEFINITIONS.learningRate,
    testId: "chart-learning-rate",
    format: formatLearningRate,
    tickFactor: 1,
  },
  {
    metric: "grad_norm",
    title: "Gradient norm",
    definition: DEFINITIONS.gradNorm,
    testId: "chart-grad-norm",
    format: formatNumber,
    tickFactor: 1,
  },
  {
    metric: "tokens_per_sec",
    title: "Tokens/s",
    definition: DEFINITIONS.speed,
    testId: "chart-speed",
    format: formatCount,
    tickFactor: 1,
  },
  {
    metric: "memory_bytes",
    title: "Memory",
    definition: DEFINITIONS.memory,
    testId: "chart-memory",
    format: formatBytes,
    tickFactor: 1 / MEBIBYTE,
  },
];

export function SmallCharts({
  run,
  series,
  window,
}: {
  run: Run;
  series: StepSeries;
  window: LinkedWindow;
}) {
  const axis = useChartSettings((settings) => settings.axis);
  return (
    <div className={styles["charts"]}>
      {SMALL.map((small) => (
        <SmallChart
          key={small.metric}
          small={small}
          run={run}
          series={series}
          window={window}
          axis={axis}
        />
      ))}
    </div>
  );
}

function SmallChart({
  small,
  run,
  series,
  window,
  axis,
}: {
  small: Small;
  run: Run;
  series: StepSeries;
  window: LinkedWindow;
  axis: Axis;
}) {
  const source = useMemo(
    () =>
      small.metric === "learning_rate"
        ? rateSource(series, axis, run)
        : metricSource(series, small.metric, axis, small.title),
    [series, small, axis, run],
  );
  const options = useMemo(
    () => ({
      logY: false,
      references: [],
      formatX: (x: number) => formatAxis(axis, x),
      formatY: small.format,
      formatTickY: small.format,
      tickFactor: small.tickFactor,
    }),
    [axis, small],
  );
  return (
    <Panel title={small.title} definition={small.definition} flush>
      <LineChart
        label={small.title}
        data-testid={small.testId}
        summary={`${small.title} along ${axis}.`}
        source={source}
        window={window}
        height={HEIGHT}
        options={options}
      />
    </Panel>
  );
}
