// Where a playhead can stand: the steps whose weights were saved, and those at which the run looked at its probe texts.
// And what happened beside them. Pure; the live end is written as null.

export interface Stop {
  readonly step: number;
  /** Name of the checkpoint of this step. */
  readonly checkpoint: string | null;
  readonly probe: boolean;
}

export type FlagKind = "spike" | "best" | "change" | "fork" | "resume" | "differs";

export interface Flag {
  readonly step: number;
  readonly kind: FlagKind;
  /** What happened, in a few words. */
  readonly text: string;
}

export type Place = number | null;

/** By step, rising, one per step. */
export function stopsOf({
  checkpoints,
  probes,
}: {
  checkpoints: readonly { readonly name: string; readonly step: number }[];
  probes: readonly number[];
}): Stop[] {
  const stops = new Map<number, Stop>();
  for (const step of probes) stops.set(step, { step, checkpoint: null, probe: true });
  for (const { name, step } of checkpoints) {
    stops.set(step, { step, checkpoint: name, probe: stops.has(step) });
  }
  return [...stops.values()].sort((a, b) => a.step - b.step);
}

/** The stop nearest to a step; the earlier of two as near. */
export function nearestStop(stops: readonly Stop[], step: number): Stop | undefined {
  let best: Stop | undefined;
  for (const stop of stops) {
    if (!best || Math.abs(stop.step - step) < Math.abs(best.step - step)) best = stop;
  }
  return best;
}

/** Where a pointer at a step puts the playhead: on the nearest stop, or on the live end when that is nearer. */
export function snapped(stops: readonly Stop[], step: number, newest: number): Place {
  const stop = nearestStop(stops, step);
  if (!stop) return null;
  return Math.abs(newest - step) < Math.abs(stop.step - step) ? null : stop.step;
}

/** The stop before or after; after the last one comes the live end. Stays where there is none, or none known yet. */
export function neighbour(stops: readonly Stop[], at: Place, by: 1 | -1): Place {
  if (stops.length === 0) return at;
  const steps = stops.map(({ step }) => step);
  if (by === 1) return at === null ? null : (steps.find((step) => step > at) ?? null);
  return steps.findLast((step) => at === null || step < at) ?? at;
}

/** The stop at the event before or after, seen from a stop. Stays where there is none. */
export function nextEvent(
  stops: readonly Stop[],
  flags: readonly Flag[],
  at: Place,
  by: 1 | -1,
): Place {
  const places = flags.flatMap(({ step }) => nearestStop(stops, step)?.step ?? []);
  places.sort((a, b) => a - b);
  if (by === 1) return (at === null ? undefined : places.find((step) => step > at)) ?? at;
  return places.findLast((step) => at === null || step < at) ?? at;
}

/** The stops on both sides, for fetching ahead: first the side that the playhead is moving to. */
export function neighbours(stops: readonly Stop[], at: Place, before: Place): Stop[] {
  const forward = at !== null && before !== null && at > before;
  const sides: (1 | -1)[] = forward ? [1, -1] : [-1, 1];
  return sides.flatMap((by) => {
    const step = neighbour(stops, at, by);
    return step === at ? [] : (stops.find((stop) => stop.step === step) ?? []);
  });
}
