// Recorded health as a grid of numbers: rows are tensors or layers, columns are steps.
import type { QueryHealthResponse } from "@/gen/lab/v1/recording_pb";

export interface HealthGrid {
  rows: readonly string[];
  steps: readonly number[];
  /** Row by row; NaN where nothing was measured. */
  values: Float32Array;
  /** For each row the step at which it first left its own range; 0 when it never did. */
  firstAnomaly: readonly number[];
}

export function gridOf(answer: QueryHealthResponse): HealthGrid {
  const { rows, steps, firstAnomalySteps } = answer;
  const data = answer.values?.data ?? new Uint8Array(0);
  if (data.byteLength !== rows.length * steps.length * 4) {
    throw new Error(`The lab's answer has ${data.byteLength} bytes for ${rows.length} rows.`);
  }
  const aligned = data.slice(); // bytes inside a larger message may start anywhere
  return { rows, steps, values: new Float32Array(aligned.buffer), firstAnomaly: firstAnomalySteps };
}

/** Indices of the rows as they are drawn: in the order of a forward pass, or what broke first at the top. */
export function rowOrder({ rows, firstAnomaly }: HealthGrid, firstToBreak: boolean): number[] {
  const order = rows.map((_, index) => index);
  if (!firstToBreak) return order;
  const broke = (index: number) => firstAnomaly[index] || Infinity;
  return order.sort((a, b) => (broke(a) === broke(b) ? a - b : broke(a) - broke(b)));
}

/** "transformer.h.3.attn.c_attn.weight" is "3 attn.c_attn". */
export function shortName(row: string): string {
  const name = row.replace(/^transformer\./, "").replace(/\.weight$/, "");
  const block = /^h\.(\d+)\.(.*)$/.exec(name);
  return block ? `${block[1]} ${block[2]}` : name;
}

/** Values of one row, by step. */
export function rowValues({ steps, values }: HealthGrid, row: number): Float64Array {
  return Float64Array.from(values.subarray(row * steps.length, (row + 1) * steps.length));
}
