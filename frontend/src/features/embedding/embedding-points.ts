// A map of token embeddings from the lab's answer. Pure.
import { tensorNamed } from "@/api/tensors";
import type { AnalyseResponse } from "@/gen/lab/v1/analysis_service_pb";
import { visibleToken } from "@/lib/token-text";

export interface EmbeddingPoints {
  readonly ids: readonly number[];
  readonly texts: readonly string[];
  /** Of the token's text, see KINDS. */
  readonly kinds: Uint8Array;
  /** [n, 3]. */
  readonly points: Float32Array;
  /** Of the spread, that each axis shows. */
  readonly share: Float32Array;
}

export const KINDS = ["word start", "inside a word", "number", "punctuation", "bytes"] as const;

/** `turned` takes the second model's points, which lie as nearly as they can on the first one's. */
export function embeddingPoints(answer: AnalyseResponse, turned: boolean): EmbeddingPoints {
  const tensors = turned ? answer.otherTensors : answer.tensors;
  const ids = [...tensorNamed(tensors, "ids").values];
  const words = new Map(answer.words.map((word) => [word.id, word.text]));
  const texts = ids.map((id) => words.get(id) ?? `#${id}`);
  return {
    ids,
    texts,
    kinds: Uint8Array.from(texts, kindOf),
    points: tensorNamed(tensors, "points").values,
    share: tensorNamed(tensors, "share").values,
  };
}

/** Index of KINDS. */
export function kindOf(text: string): number {
  if (text.includes("\\x") || /^[\p{Cc}]+$/u.test(text)) return 4;
  if (/\p{N}/u.test(text)) return 2;
  if (!/\p{L}/u.test(text)) return 3;
  return /^[ \n]/.test(text) ? 0 : 1;
}

/** Two of the three axes, x, y, x, y, ... */
export function plane(points: Float32Array, [across, up]: readonly [number, number]): Float32Array {
  const flat = new Float32Array((points.length / 3) * 2);
  for (let index = 0; 3 * index < points.length; index += 1) {
    flat[2 * index] = points[3 * index + across] ?? 0;
    flat[2 * index + 1] = points[3 * index + up] ?? 0;
  }
  return flat;
}

/** Places on the map whose token is what was typed, or begins so; exact ones first, with or without the space before. */
export function findTokens(texts: readonly string[], typed: string, most: number): number[] {
  if (typed.trim() === "") return [];
  const wanted = typed.trim();
  const rank = (text: string) => {
    const bare = text.trim();
    if (text === typed) return 0;
    if (bare === wanted || visibleToken(text) === wanted) return 1;
    if (bare.toLowerCase() === wanted.toLowerCase()) return 2;
    return bare.toLowerCase().startsWith(wanted.toLowerCase()) ? 3 : null;
  };
  return texts
    .flatMap((text, index) => {
      const place = rank(text);
      return place === null ? [] : { index, place };
    })
    .sort((one, other) => one.place - other.place || one.index - other.index)
    .slice(0, most)
    .map(({ index }) => index);
}

/** The places that lie farthest apart on two maps, farthest first. */
export function movedMost(one: Float32Array, other: Float32Array, most: number): number[] {
  const distances = Array.from({ length: one.length / 3 }, (_, index) => ({
    index,
    distance: Math.hypot(
      ...[0, 1, 2].map((axis) => (other[3 * index + axis] ?? 0) - (one[3 * index + axis] ?? 0)),
    ),
  }));
  return distances
    .sort((a, b) => b.distance - a.distance)
    .slice(0, most)
    .map(({ index }) => index);
}
