// Wakes a component when the series changed, at most ten times a second: fast enough to read, slow enough to be cheap.
import { useEffect, useState } from "react";
import type { StepSeries } from "./step-series";

const AT_MOST_EVERY_MS = 100;

export function useSeriesVersion(series: StepSeries, everyMs = AT_MOST_EVERY_MS): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lastMs = 0;
    const wake = () => {
      timer = undefined;
      lastMs = performance.now();
      setVersion((before) => before + 1);
    };
    const stop = series.onChange(() => {
      if (timer !== undefined) return;
      const waitMs = Math.max(0, everyMs - (performance.now() - lastMs));
      timer = setTimeout(wake, waitMs);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [series, everyMs]);
  return version;
}
