// One score of every head over the steps of a run; and the name that a head may have.
import type { HeadScores, ProbeRecord } from "@/gen/lab/v1/recording_pb";
import type { Measure, Variant } from "./lesson";

export type Probe = "synthetic" | "natural";

export interface HeadTimeline {
  readonly layers: number;
  readonly heads: number;
  readonly steps: readonly number[];
  /** [layers × heads, steps]; NaN where the texts cannot tell. */
  readonly scores: Float32Array;
}

/** As lab.analysis.head_scores has it. */
export const LABEL_AT = 0.4;

export function headTimeline(
  records: readonly ProbeRecord[],
  { probe, measure, variant }: { probe: Probe; measure: Measure; variant: Variant },
): HeadTimeline {
  const { layers = 0, heads = 0 } = records.at(-1) ?? {};
  const count = layers * heads;
  const scores = new Float32Array(count * records.length).fill(NaN);
  records.forEach((record, column) => {
    const said = record[probe];
    for (let head = 0; said !== undefined && head < count; head += 1) {
      scores[head * records.length + column] = scoreOf(said, head, measure, variant);
    }
  });
  return { layers, heads, steps: records.map(({ step }) => step), scores };
}

function scoreOf(said: HeadScores, head: number, measure: Measure, variant: Variant): number {
  if (measure === "entropy") return said.entropy[head] ?? NaN;
  if (measure === "distance") return said.distance[head] ?? NaN;
  const behaviour = said.behaviours.indexOf(measure);
  if (behaviour < 0) return NaN;
  return said[variant][head * said.behaviours.length + behaviour] ?? NaN;
}

export interface HeadLabel {
  readonly name: string;
  /** Borne out by random tokens and by real text. */
  readonly both: boolean;
}

/** The behaviour a head shows clearly; null where nothing does, because a name without evidence teaches something false. */
export function labelOf(record: ProbeRecord, head: number): HeadLabel | null {
  const { synthetic, natural } = record;
  if (synthetic === undefined) return null;
  const count = synthetic.behaviours.length;
  let best = -1;
  let most = -Infinity;
  for (let index = 0; index < count; index += 1) {
    const score = synthetic.corrected[head * count + index] ?? NaN;
    if (score > most) [best, most] = [index, score];
  }
  const name = synthetic.behaviours[best];
  if (name === undefined || !(most >= LABEL_AT)) return null;
  const other = natural?.corrected[head * count + best] ?? NaN;
  return { name, both: other >= LABEL_AT };
}

/** Heads in the order of how much their score changed over the newest records, most first. */
export function fastestChanging({ steps, scores }: HeadTimeline, last: number): number[] {
  const from = Math.max(0, steps.length - 1 - last);
  const count = steps.length === 0 ? 0 : scores.length / steps.length;
  const change = (head: number) => {
    const before = scores[head * steps.length + from] ?? NaN;
    const now = scores[(head + 1) * steps.length - 1] ?? NaN;
    const by = Math.abs(now - before);
    return Number.isNaN(by) ? -1 : by;
  };
  return Array.from({ length: count }, (_, head) => head).sort((a, b) => change(b) - change(a));
}

/** Column of the newest record at a step or before it; the last one at the live end (null), -1 when all are later. */
export function columnAt(records: readonly ProbeRecord[], at: number | null): number {
  return at === null ? records.length - 1 : records.findLastIndex(({ step }) => step <= at);
}

/** Of a head at a column; NaN where the texts cannot tell, and before the first record. */
export function scoreAt({ steps, scores }: HeadTimeline, head: number, column: number): number {
  return column < 0 ? NaN : (scores[head * steps.length + column] ?? NaN);
}

/** By how much the score of each head is more at another column. */
export function changeOf(timeline: HeadTimeline, from: number, to: number): Float32Array {
  const count = timeline.layers * timeline.heads;
  return Float32Array.from(
    { length: count },
    (_, head) => scoreAt(timeline, head, to) - scoreAt(timeline, head, from),
  );
}
