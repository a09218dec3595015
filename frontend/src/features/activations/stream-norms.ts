// The lengths of the residual stream as one matrix, in the order in which a token passes.
import { tensorNamed } from "@/api/tensors";
import type { NamedTensor } from "@/gen/lab/v1/tensor_pb";

export interface StreamNorms {
  readonly rows: readonly string[];
  readonly tokens: number;
  /** [rows, tokens]. */
  readonly values: Float32Array;
  readonly largest: number;
}

export function streamNorms(tensors: readonly NamedTensor[]): StreamNorms {
  const embedding = tensorNamed(tensors, "embedding").values;
  const afterAttention = tensorNamed(tensors, "post_attention");
  const afterFfn = tensorNamed(tensors, "post_ffn").values;
  const [layers = 0, tokens = 0] = afterAttention.shape;
  const values = new Float32Array((1 + 2 * layers) * tokens);
  values.set(embedding);
  const rows = ["embedding"];
  for (let layer = 0; layer < layers; layer += 1) {
    const [from, to] = [layer * tokens, (layer + 1) * tokens];
    values.set(afterAttention.values.subarray(from, to), rows.length * tokens);
    rows.push(`${layer} attention`);
    values.set(afterFfn.subarray(from, to), rows.length * tokens);
    rows.push(`${layer} ffn`);
  }
  let largest = 0;
  for (const value of values) if (value > largest) largest = value;
  return { rows, tokens, values, largest: largest || 1 };
}

/** What a second model's lengths are more or less, with the largest by size as the end of the scale. */
export function differenceOfNorms(mine: StreamNorms, theirs: StreamNorms): StreamNorms {
  const values = mine.values.map((value, cell) => (theirs.values[cell] ?? NaN) - value);
  let largest = 0;
  for (const value of values) if (Math.abs(value) > largest) largest = Math.abs(value);
  return { ...mine, values, largest: largest || 1 };
}
