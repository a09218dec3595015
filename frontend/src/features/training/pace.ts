// How long a step takes of late, with everything that is done between steps.
import type { Column } from "./column";

const OF_LATE = 100; // steps
const FEWEST = 5; // the first steps wait for memory, and stand beside the first text and the first look

/** Seconds per step; undefined while too few were made. `elapsed` is the time spent training at each step. */
export function paceOf(elapsed: Column): number | undefined {
  const newest = elapsed.lastStep;
  const oldest = elapsed.x[0] ?? 0;
  if (newest === undefined || newest - oldest < FEWEST) return undefined;
  const from = Math.max(oldest, newest - OF_LATE);
  return (elapsed.at(newest) - elapsed.at(from)) / (newest - from);
}
