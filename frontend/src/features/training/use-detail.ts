// Zoomed into a long run, the points in sight may be fewer than were recorded: fetches the rest of that stretch.
import { useEffect } from "react";
import type { LinkedWindow } from "@/charts/line/window";
import { querySeries } from "@/api/runs";
import { stepAt, type Axis } from "./axis";
import type { StepSeries } from "./step-series";

const SETTLED_AFTER_MS = 60; // a drag ends once; a wheel turns on, and only its last place is asked for
const MOST_POINTS = 4000;

export function useDetail(run: string, series: StepSeries, window: LinkedWindow, axis: Axis): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let fetching: AbortController | undefined;
    const fetchDetail = async () => {
      const { stretch } = window.get();
      if (!stretch || series.complete) return;
      fetching = new AbortController();
      const stepFrom = Math.max(0, Math.floor(stepAt(series, axis, stretch[0])));
      const stepTo = Math.max(stepFrom, Math.ceil(stepAt(series, axis, stretch[1])));
      try {
        const range = { stepFrom, stepTo, maxPoints: MOST_POINTS };
        series.merge(await querySeries(run, range, fetching.signal));
      } catch {
        // The coarse curve, with its extremes, stays on screen; the next zoom asks again.
      }
    };
    let before = window.get().stretch;
    const stop = window.subscribe(() => {
      const { stretch } = window.get();
      if (stretch === before) return; // only the cursor moved
      before = stretch;
      clearTimeout(timer);
      fetching?.abort();
      timer = setTimeout(() => void fetchDetail(), SETTLED_AFTER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
      fetching?.abort();
    };
  }, [run, series, window, axis]);
}
