// Four metrics side by side, their zoom and cursor linked with the loss.
import { useMemo } from "react";
import { LineChart } from "@/charts/line/line-chart";
import type { LinkedWindow } from "@/charts/line/window";
import { formatBytes, formatCount, formatLearningRate, formatNumber } from "@/lib/format";
import { Panel } from "@/ui/panel";
import { formatAxis, type Axis } from "./axis";
import { useChartSettings } from "./chart-settings";
import styles from "./small-charts.module.css";
import { metricSource } from "./sources";
import type { Metric, StepSeries } from "./step-series";

const HEIGHT = 150;
const MEBIBYTE = 1024 * 1024;

interface Small {
  metric: Metric;
  title: string;
  testId: string;
  format: (y: number) => string;
  tickFactor: number;
}

const SMALL: readonly Small[] = [
  {
    metric: "learning_rate",
    title: "Learning rate",
    testId: "chart-learning-rate",
    format: formatLearningRate,
    tickFactor: 1,
  },
  {
    metric: "grad_norm",
    title: "Gradient norm",
    testId: "chart-grad-norm",
    format: formatNumber,
    tickFactor: 1,
  },
  {
    metric: "tokens_per_sec",
    title: "Tokens/s",
    testId: "chart-speed",
    format: formatCount,
    tickFactor: 1,
  },
  {
    metric: "memory_bytes",
    title: "Memory",
    testId: "chart-memory",
    format: formatBytes,
    tickFactor: 1 / MEBIBYTE,
  },
];

export function SmallCharts({ series, window }: { series: StepSeries; window: LinkedWindow }) {
  const axis = useChartSettings((settings) => settings.axis);
  return (
    <div className={styles["charts"]}>
      {SMALL.map((small) => (
        <SmallChart key={small.metric} small={small} series={series} window={window} axis={axis} />
      ))}
    </div>
  );
}

function SmallChart({
  small,
  series,
  window,
  axis,
}: {
  small: Small;
  series: StepSeries;
  window: LinkedWindow;
  axis: Axis;
}) {
  const source = useMemo(
    () => metricSource(series, small.metric, axis, small.title),
    [series, small, axis],
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
    <Panel title={small.title} flush>
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
