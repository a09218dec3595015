// The likeliest tokens of one place and the drawn one among them, or after them when it was a long shot.
import type { GenerateResponse } from "@/gen/lab/v1/inference_service_pb";

export interface RankedAlternative {
  readonly id: number;
  readonly text: string;
  readonly probability: number;
  readonly drawn: boolean;
}

export function rankedAlternatives(step: GenerateResponse): RankedAlternative[] {
  const drawn = step.token;
  const ranked = step.alternatives.flatMap(({ token, probability }) =>
    token === undefined
      ? []
      : [{ id: token.id, text: token.text, probability, drawn: token.id === drawn?.id }],
  );
  if (drawn !== undefined && !ranked.some((one) => one.drawn)) {
    ranked.push({ id: drawn.id, text: drawn.text, probability: step.probability, drawn: true });
  }
  return ranked;
}
