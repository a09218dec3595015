// The newest value of a compared metric.
import { COMPARED_METRICS } from "./compared";
import type { Metric, StepSeries } from "./step-series";
import { useSeriesVersion } from "./use-series-version";

const EVERY_MS = 500;

export function CompareValue({ series, metric }: { series: StepSeries; metric: Metric }) {
  useSeriesVersion(series, EVERY_MS);
  const value = series.column(metric).last;
  const look = COMPARED_METRICS.find((one) => one.metric === metric);
  return <>{value === undefined ? "–" : (look?.format(value) ?? String(value))}</>;
}
