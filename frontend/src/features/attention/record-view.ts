// What the explorer shows of a probe record: maps that the run kept of itself, small and without a model to ask.
import type { ProbeText } from "@/gen/lab/v1/recording_pb";
import { weightOf } from "@/api/tensors";
import { visibleToken } from "@/lib/token-text";
import { meanMatrix, packedMatrices, type WeightMatrix } from "./attention-maps";
import { mapOf, type HeadChoice } from "./use-attention";
import type { AttentionView } from "./use-attention-view";

const NO_MATRICES: never[] = [];

export interface RecordShape {
  readonly heads: number;
  readonly layer: number;
  readonly head: HeadChoice;
  /** The record is that of another step, shown until the wanted one is there. */
  readonly old: boolean;
}

export function recordView(
  probe: ProbeText,
  { heads, layer, head, old }: RecordShape,
): AttentionView {
  const packed = probe.attention ? packedMatrices(probe.attention) : NO_MATRICES;
  const side = packed[0]?.tokens ?? 0;
  const labels = cellLabels(probe, side);
  const wanted = packed.slice(layer * heads, (layer + 1) * heads);
  const matrices = (head === "mean" ? wanted : wanted.slice(head, head + 1)).map(unpacked);
  const exact = matrices.length > 0 ? mapOf(labels, meanMatrix(matrices)) : undefined;
  return {
    tokens: probe.tokens,
    tooLong: false,
    context: probe.tokens.length,
    matrixOf: (place) => packed[place.layer * heads + place.head],
    picture: exact?.picture,
    labels,
    pictureIsOld: old,
    exact,
    exactIsOld: old,
    averaged: side < probe.tokens.length,
    overviewIsOld: old,
    busy: old,
    error: null,
    retry: () => undefined,
  };
}

function unpacked({ tokens, indices }: { tokens: number; indices: Uint8Array }): WeightMatrix {
  return { tokens, weights: Float32Array.from(indices, weightOf) };
}

/** The token of each cell; where cells stand for several, the first of them with a sign that there are more. */
export function cellLabels({ tokens }: Pick<ProbeText, "tokens">, side: number): string[] {
  return Array.from({ length: side }, (_, cell) => {
    const from = Math.floor((cell * tokens.length) / side);
    const to = Math.floor(((cell + 1) * tokens.length) / side);
    return visibleToken(tokens[from]?.text ?? "") + (to - from > 1 ? "…" : "");
  });
}
