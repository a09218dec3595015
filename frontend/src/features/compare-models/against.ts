// The second playhead: what the weights at the first one are compared with. Pure.

/** The live end of a run in training, or the last weights of one at rest. */
export const NEWEST = "newest";

/** A step whose weights were saved, or the newest weights. */
export type Against = number | typeof NEWEST;

/** Where the second playhead lands when it is dropped at the first: weights must have been kept there. */
export function droppedAt(at: number | null, saved: readonly number[]): Against {
  if (at === null) return NEWEST;
  let best: number | undefined;
  for (const step of saved) {
    if (best === undefined || Math.abs(step - at) < Math.abs(best - at)) best = step;
  }
  return best ?? NEWEST;
}

/** Both playheads after they changed places. */
export function swapped(
  at: number | null,
  against: Against,
): { at: number | null; against: Against } {
  return { at: against === NEWEST ? null : against, against: at ?? NEWEST };
}

export function stepOfAgainst(text: string): Against | null {
  if (text === NEWEST) return NEWEST;
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}
