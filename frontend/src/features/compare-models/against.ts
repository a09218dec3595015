// The second playhead: what the weights at the first one are compared with. Pure.

/** The live end of a run in training, or the last weights of one at rest. */
export const NEWEST = "newest";

/** "runs/{run}/checkpoints/{checkpoint}" of another run, or of an import. */
export type Elsewhere = `runs/${string}/checkpoints/${string}`;

/** A step whose weights were saved, the newest weights, or a checkpoint of another run. */
export type Against = number | typeof NEWEST | Elsewhere;

export function isElsewhere(against: Against | null): against is Elsewhere {
  return typeof against === "string" && against !== NEWEST;
}

/** Where the second playhead lands when it is dropped at the first: weights must have been kept there. */
export function droppedAt(at: number | null, saved: readonly number[]): Against {
  if (at === null) return NEWEST;
  let best: number | undefined;
  for (const step of saved) {
    if (best === undefined || Math.abs(step - at) < Math.abs(best - at)) best = step;
  }
  return best ?? NEWEST;
}

/** Both playheads after they changed places; one that stands in another run stays there. */
export function swapped(
  at: number | null,
  against: number | typeof NEWEST,
): { at: number | null; against: Against } {
  return { at: against === NEWEST ? null : against, against: at ?? NEWEST };
}

/** From the address, or from a choice. */
export function againstOf(text: string): Against | null {
  if (text === NEWEST) return NEWEST;
  if (isName(text)) return text;
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function isName(text: string): text is Elsewhere {
  return /^runs\/[a-z0-9-]{1,64}\/checkpoints\/[a-z0-9-]{1,64}$/.test(text);
}

interface Shape {
  readonly layers?: number | undefined;
  readonly heads?: number | undefined;
}

/** Whether every layer and head of one has its like in the other: only then is there a difference of each. */
export function sameHeads(one: Shape | undefined, other: Shape | undefined): boolean {
  return one?.layers === other?.layers && one?.heads === other?.heads;
}
