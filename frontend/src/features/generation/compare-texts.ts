// Two texts that were written with the same dice: where they part, and how much a text repeats itself. Pure.
import type { GenerateResponse } from "@/gen/lab/v1/inference_service_pb";

type Written = readonly Pick<GenerateResponse, "token">[];

/** Place of the first token that is not the same; null as long as one only lacks what is not written yet. */
export function firstDifference(one: Written, other: Written, bothEnded: boolean): number | null {
  const shorter = Math.min(one.length, other.length);
  for (let place = 0; place < shorter; place += 1) {
    if (one[place]?.token?.id !== other[place]?.token?.id) return place;
  }
  return bothEnded && one.length !== other.length ? shorter : null;
}

/** Share of the runs of three tokens that stood in the text before; undefined for a text without any. */
export function repeatedShare(tokens: Written): number | undefined {
  const runs = tokens.length - 2;
  if (runs < 1) return undefined;
  const seen = new Set<string>();
  for (let place = 0; place < runs; place += 1) {
    seen.add([0, 1, 2].map((next) => tokens[place + next]?.token?.id).join());
  }
  return 1 - seen.size / runs;
}

/** Mean of ln p over the tokens, in nats; undefined for none. */
export function meanLogProbability(
  tokens: readonly Pick<GenerateResponse, "logProbability">[],
): number | undefined {
  if (tokens.length === 0) return undefined;
  return tokens.reduce((sum, token) => sum + token.logProbability, 0) / tokens.length;
}
