// Follows one compared run and tells the page what it knows of it. Draws nothing: the number of runs changes, hooks may not.
import { useEffect } from "react";
import type { LinkedWindow } from "@/charts/line/window";
import { runDetail } from "@/features/runs/run-detail";
import type { Axis } from "@/features/training/axis";
import type { StepMeans } from "@/features/training/step-means";
import { stepSeries, type Metric, type StepSeries } from "@/features/training/step-series";
import { useDetail } from "@/features/training/use-detail";
import { useIncomplete, useMeans } from "@/features/training/use-means";
import type { Run } from "@/gen/lab/v1/run_pb";
import { useChannel } from "@/live/use-channel";

export interface Known {
  run: Run | undefined;
  series: StepSeries;
  means: StepMeans | undefined;
  /** Not every recorded step is here. */
  incomplete: boolean;
  /** Why there is nothing to show. */
  missing: string | undefined;
}

export function CompareRun({
  id,
  window,
  axis,
  metric,
  averaged,
  smoothed,
  onKnown,
}: {
  id: string;
  window: LinkedWindow;
  axis: Axis;
  metric: Metric;
  /** It is drawn as one with others, of which some are not here whole. */
  averaged: boolean;
  /** Its curve is an average. */
  smoothed: boolean;
  onKnown: (id: string, known: Known) => void;
}) {
  const name = `runs/${id}`;
  const { state: detail, problem } = useChannel(name, runDetail);
  const { state: series } = useChannel(`${name}/steps`, stepSeries);
  useDetail(name, series, window, axis);
  const incomplete = useIncomplete(series);
  const wanted = averaged || (smoothed && incomplete);
  const held = useMeans(name, series, window, { metric, axis, wanted });
  const means = wanted ? held : undefined;
  const { run, evaluations, deleted } = detail;
  useEffect(() => series.evaluated(evaluations), [series, evaluations]);
  const gone = deleted ? "deleted" : run?.deleteTime ? "in the trash" : undefined;
  const missing = gone ?? (problem ? problem.detail || problem.title : undefined);
  useEffect(
    () => onKnown(id, { run, series, means, incomplete, missing }),
    [id, run, series, means, incomplete, missing, onKnown],
  );
  return null;
}
