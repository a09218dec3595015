// What a fork has of the runs before it: their metrics up to the fork, as one series, and where each fork was.
import type { LineSource } from "@/charts/line/painter";
import type { Marker } from "@/charts/line/markers";
import type { Stretch } from "@/charts/line/window";
import type { SeriesSet } from "@/gen/lab/v1/series_pb";
import { formatCount } from "@/lib/format";
import { placeOfStep, type Axis } from "./axis";
import { StepSeries } from "./step-series";

export interface Inherited {
  /** Of all runs before it; ends at the fork. */
  readonly series: StepSeries;
  /** Steps made before the fork. */
  readonly forkStep: number;
}

/** `sets` are one per ancestor, the parent first. Each ends where the next of them was forked, so they join. */
export function inheritedFrom(forkStep: number, sets: readonly SeriesSet[]): Inherited {
  const series = new StepSeries();
  const evaluations: { step: number; loss: number }[] = [];
  for (const set of sets.toReversed()) {
    series.merge(set);
    const validation = set.series.find(({ name }) => name === "validation_loss");
    validation?.steps.forEach((step, i) =>
      evaluations.push({ step, loss: validation.values[i] ?? NaN }),
    );
  }
  series.evaluated(evaluations);
  return { series, forkStep };
}

/** By step. The fork of an older run is where what is inherited from it ends. */
export function forkMarkers(
  parent: { run: string; step: number },
  sets: readonly SeriesSet[],
): Marker[] {
  const older = sets.slice(1).flatMap(({ run, series }) => {
    const last = series.find(({ name }) => name === "loss")?.steps.at(-1);
    return last === undefined ? [] : [fork(run, last)];
  });
  return [fork(parent.run, parent.step), ...older];
}

function fork(from: string, step: number): Marker {
  const id = from.slice(from.lastIndexOf("/") + 1);
  return { x: step, kind: "fork", text: `fork of ${id} at step ${formatCount(step)}` };
}

/** A run's own lines, and before them, fainter, the same ones of what it inherits. */
export function goingOn(
  own: LineSource,
  inherited: Inherited | undefined,
  axis: Axis,
  linesOf: (series: StepSeries) => LineSource,
): LineSource {
  if (!inherited) return own;
  const { series, forkStep } = inherited;
  const earlier = linesOf(series);
  return {
    onChange: (listener) => {
      const stops = [own.onChange(listener), earlier.onChange(listener)];
      return () => {
        for (const stop of stops) stop();
      };
    },
    lines: () => {
      const at = placeOfStep(series, axis, forkStep);
      const [before, after]: Stretch[] = [
        [-Infinity, at],
        [at, Infinity],
      ];
      return [
        ...own.lines().map((line) => ({ ...line, reach: after })),
        ...earlier.lines().map((line) => ({ ...line, inherited: true, reach: before })),
      ];
    },
  };
}
