// Predict first: the loss a person expects, as heights at places spread evenly over the run.
import { create } from "@bufbuild/protobuf";
import { LossPredictionSchema, type LossPrediction } from "@/gen/lab/v1/run_pb";

/** Places of a sketch: more than a hand can draw on, few enough to type. */
export const PLACES = 41;

/** One expected loss per place; null where nothing was said. */
export type Sketch = readonly (number | null)[];

export const EMPTY_SKETCH: Sketch = Array.from({ length: PLACES }, () => null);

/** The step of a place in a run of `steps` steps. */
export function stepOf(place: number, steps: number): number {
  return 1 + Math.round(((steps - 1) * place) / (PLACES - 1));
}

/** Draws from one place to another; the places between get the straight line. */
export function drawn(
  sketch: Sketch,
  [fromPlace, fromLoss]: readonly [number, number],
  [toPlace, toLoss]: readonly [number, number],
): Sketch {
  const next = [...sketch];
  const away = Math.abs(toPlace - fromPlace);
  for (let i = 0; i <= away; i += 1) {
    const share = away === 0 ? 1 : i / away;
    const place = fromPlace + Math.sign(toPlace - fromPlace) * i;
    if (place >= 0 && place < PLACES) next[place] = fromLoss + share * (toLoss - fromLoss);
  }
  return next;
}

export function points(sketch: Sketch): [place: number, loss: number][] {
  return sketch.flatMap((loss, place) => (loss === null ? [] : [[place, loss]]));
}

/** As it is kept with the run; undefined when there is no line yet. In short runs places share a step: the later counts. */
export function predictionOf(sketch: Sketch, steps: number): LossPrediction | undefined {
  const found = points(sketch);
  if (found.length < 2 || steps < 2) return undefined;
  const byStep = new Map(found.map(([place, loss]) => [stepOf(place, steps), loss]));
  return create(LossPredictionSchema, {
    steps: [...byStep.keys()],
    losses: [...byStep.values()],
  });
}
