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
import { goingOn, type Inherited } from "./inherited";
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
  inherited,
  window,
}: {
  run: Run;
  series: StepSeries;
  /** Drawn before its own curves, fainter. */
  inherited: Inherited | undefined;
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
          inherited={inherited}
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
  inherited,
  window,
  axis,
}: {
  small: Small;
  run: Run;
  series: StepSeries;
  inherited: Inherited | undefined;
  window: LinkedWindow;
  axis: Axis;
}) {
  const source = useMemo(() => {
    const lineOf = (of: StepSeries) => metricSource(of, small.metric, axis, small.title);
    const own = small.metric === "learning_rate" ? rateSource(series, axis, run) : lineOf(series);
    return goingOn(own, inherited, axis, lineOf);
  }, [series, small, axis, run, inherited]);
  const options = useMemo(
    () => ({
      logY: false,
      references: [],
      formatX: (x: number) => formatAxis(axis, x),
      wholeX: axis === "log",
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
