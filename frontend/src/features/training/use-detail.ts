// Zoomed into a long run, the points in sight may be fewer than were recorded: fetches the rest of that stretch.
import { useEffect } from "react";
import type { LinkedWindow } from "@/charts/line/window";
import { queryInherited, querySeries } from "@/api/runs";
import type { SeriesSet } from "@/gen/lab/v1/series_pb";
import { stepAt, type Axis } from "./axis";
import type { StepSeries } from "./step-series";

const SETTLED_AFTER_MS = 60; // a drag ends once; a wheel turns on, and only its last place is asked for
const MOST_POINTS = 4000;

type Range = Parameters<typeof querySeries>[1];
type Ask = (run: string, range: Range, signal: AbortSignal) => Promise<readonly SeriesSet[]>;

export function useDetail(run: string, series: StepSeries, window: LinkedWindow, axis: Axis): void {
  useMore(askOwn, run, series, window, axis);
}

/** The same for what a fork inherits. */
export function useInheritedDetail(
  run: string,
  series: StepSeries | undefined,
  window: LinkedWindow,
  axis: Axis,
): void {
  useMore(queryInherited, run, series, window, axis);
}

const askOwn: Ask = async (run, range, signal) => [await querySeries(run, range, signal)];

function useMore(
  ask: Ask,
  run: string,
  series: StepSeries | undefined,
  window: LinkedWindow,
  axis: Axis,
): void {
  useEffect(() => {
    if (!series) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let fetching: AbortController | undefined;
    const inSight = (): [number, number] | null => {
      const { stretch } = window.get();
      if (stretch === null) return null;
      const from = Math.max(0, Math.floor(stepAt(series, axis, stretch[0])));
      return [from, Math.max(from, Math.ceil(stepAt(series, axis, stretch[1])))];
    };
    const fetchDetail = async () => {
      const steps = inSight();
      if (!steps || series.complete) return;
      fetching = new AbortController();
      const [stepFrom, stepTo] = steps;
      try {
        const range = { stepFrom, stepTo, maxPoints: MOST_POINTS };
        for (const set of await ask(run, range, fetching.signal)) series.merge(set);
      } catch {
        // The coarse curve, with its extremes, stays on screen; the next zoom asks again.
      }
    };
    let before = window.get().stretch;
    series.lookAt(inSight());
    const stop = window.subscribe(() => {
      const { stretch } = window.get();
      if (stretch === before) return; // only the cursor moved
      before = stretch;
      series.lookAt(inSight());
      clearTimeout(timer);
      fetching?.abort();
      timer = setTimeout(() => void fetchDetail(), SETTLED_AFTER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
      fetching?.abort();
    };
  }, [ask, run, series, window, axis]);
}
