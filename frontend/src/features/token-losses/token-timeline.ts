// The losses of a probe text's tokens over the steps of a run, as one matrix; and when each token was learned.
import type { ProbeRecord } from "@/gen/lab/v1/recording_pb";
import type { Token } from "@/gen/lab/v1/tensor_pb";

export interface TokenTimeline {
  readonly tokens: readonly Token[];
  /** Of the columns, rising. */
  readonly steps: readonly number[];
  /** [tokens, steps]; NaN for the first token, which nothing predicts. */
  readonly losses: Float32Array;
}

/** Of one of the texts; records with another text there (the texts were changed) are left out. */
export function timelineOf(records: readonly ProbeRecord[], text: number): TokenTimeline {
  const tokens = records.at(-1)?.texts[text]?.tokens ?? [];
  const key = keyOf(tokens);
  const same = records.filter((record) => keyOf(record.texts[text]?.tokens ?? []) === key);
  const losses = new Float32Array(tokens.length * same.length).fill(NaN);
  same.forEach((record, column) => {
    record.texts[text]?.losses.forEach((loss, index) => {
      losses[(index + 1) * same.length + column] = loss;
    });
  });
  return { tokens, steps: same.map(({ step }) => step), losses };
}

function keyOf(tokens: readonly Token[]): string {
  return tokens.map(({ id }) => id).join(" ");
}

/** Losses of one token, by step. */
export function lossesOf({ steps, losses }: TokenTimeline, token: number): Float32Array {
  return losses.subarray(token * steps.length, (token + 1) * steps.length);
}

/** The first step from which on a token's loss stays below ½ (ln V + its lowest); undefined when there is none. */
export function acquiredAt(
  timeline: TokenTimeline,
  token: number,
  vocabulary: number,
): number | undefined {
  const losses = lossesOf(timeline, token);
  let low = Infinity;
  for (const loss of losses) if (loss < low) low = loss;
  if (low === Infinity) return undefined;
  const threshold = (Math.log(vocabulary) + low) / 2;
  let since: number | undefined;
  losses.forEach((loss, column) => {
    if (!(loss < threshold)) since = undefined;
    else since ??= timeline.steps[column];
  });
  return since;
}

/** The column of a step, or the newest before it; -1 when all are later. */
export function columnOf(steps: readonly number[], at: number | null): number {
  if (at === null) return steps.length - 1;
  return steps.findLastIndex((step) => step <= at);
}
