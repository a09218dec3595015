// Asks for the means of a run that is smoothed, or drawn as one with others: of the stretch in sight, and then of what is
// new.
import { useEffect, useState, useSyncExternalStore } from "react";
import { querySeries } from "@/api/runs";
import type { LinkedWindow } from "@/charts/line/window";
import { stepAt, type Axis } from "./axis";
import { cutOf, StepMeans } from "./step-means";
import type { Metric, StepSeries } from "./step-series";

const SETTLED_AFTER_MS = 160; // a drag ends once, and its points are asked for before their means
const NEWS_AFTER_MS = 2_000;
// So many steps before the stretch in sight are asked for too: after them an average of weight 0.99 has forgotten 99 % of
// what it began with.
const RUN_UP_STEPS = 460;

/** Whether some recorded steps of a run are not here. */
export function useIncomplete(series: StepSeries): boolean {
  return useSyncExternalStore(
    (listener) => series.onChange(listener),
    () => !series.complete,
  );
}

export function useMeans(
  run: string,
  series: StepSeries,
  window: LinkedWindow,
  { metric, axis, wanted }: { metric: Metric; axis: Axis; wanted: boolean },
): StepMeans {
  const [means] = useState(() => new StepMeans());
  useEffect(() => {
    // Evaluations are all here.
    if (!wanted || metric === "validation_loss") {
      means.forget();
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    let fetching: AbortController | undefined;
    const inSight = (): [number, number] => {
      const { stretch } = window.get();
      if (stretch === null) return [0, series.step];
      const from = Math.max(0, Math.floor(stepAt(series, axis, stretch[0])) - RUN_UP_STEPS);
      const to = Math.min(series.step, Math.ceil(stepAt(series, axis, stretch[1])));
      return [from, Math.max(from, to)];
    };
    const ask = async () => {
      timer = undefined;
      const [from, to] = inSight();
      const cut = cutOf(metric, from, to);
      const missing = means.missing(cut, to);
      if (!missing) return;
      const asking = (fetching = new AbortController());
      const [stepFrom, stepTo] = missing;
      try {
        const range = { series: [metric], stepFrom, stepTo, meanOfSteps: cut.steps };
        const [answer] = (await querySeries(run, range, asking.signal)).series;
        if (answer) means.put(cut, missing, answer);
      } catch {
        // What is here stays on screen; the next step or zoom asks again.
      }
      if (asking.signal.aborted) return;
      fetching = undefined;
      soon(); // what came meanwhile
    };
    const soon = () => {
      if (fetching === undefined) timer ??= setTimeout(() => void ask(), NEWS_AFTER_MS);
    };
    let before = window.get().stretch;
    const stops = [
      window.subscribe(() => {
        const { stretch } = window.get();
        if (stretch === before) return; // only the cursor moved
        before = stretch;
        clearTimeout(timer);
        fetching?.abort();
        fetching = undefined;
        timer = setTimeout(() => void ask(), SETTLED_AFTER_MS);
      }),
      series.onChange(() => {
        if (means.isBefore(series.step)) means.forget();
        soon();
      }),
    ];
    void ask();
    return () => {
      for (const stop of stops) stop();
      clearTimeout(timer);
      fetching?.abort();
    };
  }, [run, series, window, means, metric, axis, wanted]);
  return means;
}
