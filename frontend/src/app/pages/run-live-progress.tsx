// The progress of a run, moved by its measured steps rather than by its rarer changes of state.
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import { RunProgress } from "@/features/runs/run-progress";
import { paceOf } from "@/features/training/pace";
import type { StepSeries } from "@/features/training/step-series";
import { useSeriesVersion } from "@/features/training/use-series-version";

export function LiveProgress({ run, series }: { run: Run; series: StepSeries }) {
  useSeriesVersion(series);
  // At rest the run itself knows best; while it moves its steps are ahead of its last change of state.
  const known = run.stats?.step ?? 0;
  const step = run.state === RunState.RUNNING ? Math.max(series.step, known) : known;
  const elapsedSecs = series.column("elapsed_secs").last ?? run.stats?.elapsedSecs ?? 0;
  const secsPerStep = paceOf(series.column("elapsed_secs"));
  return <RunProgress run={run} step={step} elapsedSecs={elapsedSecs} secsPerStep={secsPerStep} />;
}
