// Direct logit attribution, part by part in the order of the forward pass. Pure.
import { tensorNamed } from "@/api/tensors";
import type { NamedTensor } from "@/gen/lab/v1/tensor_pb";

export interface VoteParts {
  readonly layers: number;
  readonly heads: number;
  /** [layers, heads + 1]; the last column is the feed-forward layer. */
  readonly grid: Float32Array;
  readonly parts: readonly { readonly name: string; readonly value: number }[];
  readonly score: number;
  /** The largest of the parts, without its sign. */
  readonly most: number;
  /** The largest cell of the grid, without its sign. */
  readonly mostOfGrid: number;
}

export function voteParts(tensors: readonly NamedTensor[]): VoteParts {
  const one = (name: string) => tensorNamed(tensors, name).values[0] ?? 0;
  const byHead = tensorNamed(tensors, "heads");
  const ffn = tensorNamed(tensors, "ffn").values;
  const [layers = 0, heads = 0] = byHead.shape;
  const grid = new Float32Array(layers * (heads + 1));
  const parts = [
    { name: "token", value: one("token") },
    { name: "position", value: one("place") },
  ];
  for (let layer = 0; layer < layers; layer += 1) {
    const row = byHead.values.subarray(layer * heads, (layer + 1) * heads);
    grid.set(row, layer * (heads + 1));
    grid[layer * (heads + 1) + heads] = ffn[layer] ?? 0;
    parts.push({ name: `${layer} attention`, value: row.reduce((sum, vote) => sum + vote, 0) });
    parts.push({ name: `${layer} ffn`, value: ffn[layer] ?? 0 });
  }
  parts.push({ name: "biases", value: one("biases") });
  const largest = (values: Iterable<number>) =>
    Math.max(1e-9, ...Array.from(values, (value) => Math.abs(value)));
  return {
    ...{ layers, heads, grid, parts, score: one("score") },
    most: largest(parts.map(({ value }) => value)),
    mostOfGrid: largest(grid),
  };
}
