// The progress of a run, moved by its measured steps rather than by its rarer changes of state.
import type { Run } from "@/gen/lab/v1/run_pb";
import { RunProgress } from "@/features/runs/run-progress";
import type { StepSeries } from "@/features/training/step-series";
import { useSeriesVersion } from "@/features/training/use-series-version";

export function LiveProgress({ run, series }: { run: Run; series: StepSeries }) {
  useSeriesVersion(series);
  const step = Math.max(series.step, run.stats?.step ?? 0);
  const elapsedSecs = series.column("elapsed_secs").last ?? run.stats?.elapsedSecs ?? 0;
  return <RunProgress run={run} step={step} elapsedSecs={elapsedSecs} />;
}
