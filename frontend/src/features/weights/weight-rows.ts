// Statistics of every weight, row by row. Pure.
import { tensorNamed } from "@/api/tensors";
import type { AnalyseResponse } from "@/gen/lab/v1/analysis_service_pb";

export const STATISTICS = ["rms", "mean", "deviation", "smallest", "largest", "kurtosis"] as const;
export type Statistic = (typeof STATISTICS)[number];

export interface WeightRows {
  /** As the network names them. */
  readonly full: readonly string[];
  readonly names: readonly string[];
  readonly bins: number;
  /** [rows, bins], each row over its own range; the fullest bin of a row is 1. */
  readonly histogram: Float32Array;
  readonly numbers: Readonly<Record<Statistic, Float32Array>>;
  /** Size of other less model over size of model, when two were compared. */
  readonly change: Float32Array | undefined;
}

export function weightRows(answer: AnalyseResponse): WeightRows {
  const { shape, values } = tensorNamed(answer.tensors, "histogram");
  const [count = 0, bins = 0] = shape;
  const histogram = new Float32Array(values);
  for (let row = 0; row < count; row += 1) {
    const bars = histogram.subarray(row * bins, (row + 1) * bins);
    const fullest = bars.reduce((most, share) => Math.max(most, share), 0) || 1;
    for (let bin = 0; bin < bins; bin += 1) bars[bin] = (bars[bin] ?? 0) / fullest;
  }
  const of = (name: Statistic) => tensorNamed(answer.tensors, name).values;
  const compared = answer.differences.some(({ name }) => name === "change");
  return {
    full: answer.rows,
    names: answer.rows.map(shortName),
    bins,
    histogram,
    numbers: {
      rms: of("rms"),
      mean: of("mean"),
      deviation: of("deviation"),
      smallest: of("smallest"),
      largest: of("largest"),
      kurtosis: of("kurtosis"),
    },
    change: compared ? tensorNamed(answer.differences, "change").values : undefined,
  };
}

const PARTS: readonly (readonly [string, string])[] = [
  ["ln_1", "norm 1"],
  ["attn.c_attn", "qkv"],
  ["attn.c_proj", "out"],
  ["ln_2", "norm 2"],
  ["mlp.c_fc", "up"],
  ["mlp.c_proj", "down"],
  ["wte", "embedding"],
  ["wpe", "position"],
  ["ln_f", "last norm"],
  ["lm_head", "head"],
];

/** "0 qkv" of "transformer.h.0.attn.c_attn.weight", "0 qkv b" of its bias. */
export function shortName(full: string): string {
  const layer = /\.h\.(\d+)\./.exec(full)?.[1];
  const part = PARTS.find(([name]) => full.includes(`.${name}.`) || full.startsWith(`${name}.`));
  if (part === undefined) return full;
  const bias = full.endsWith(".bias") ? " b" : "";
  return `${layer === undefined ? "" : `${layer} `}${part[1]}${bias}`;
}

/** Rows by how much they changed, most first. */
export function changedMost(change: Float32Array, most: number): number[] {
  return Array.from(change, (_, row) => row)
    .sort((one, other) => (change[other] ?? 0) - (change[one] ?? 0))
    .slice(0, most);
}
