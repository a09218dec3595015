// The answers to lens questions, cell by cell. A long text is asked about in parts, as they come in sight.
import { tensorNamed } from "@/api/tensors";
import type { AnalyseResponse } from "@/gen/lab/v1/analysis_service_pb";
import type { NamedTensor } from "@/gen/lab/v1/tensor_pb";
import { visibleToken } from "@/lib/token-text";

/** How many tokens are asked about at once. */
export const PART_TOKENS = 32;

/** The answer about PART_TOKENS tokens of a text, fewer at its end. */
export interface LensPart {
  /** Of its tokens the first. */
  readonly first: number;
  readonly answer: AnalyseResponse;
}

export interface LensGuess {
  readonly text: string;
  readonly probability: number;
}

export interface Lens {
  readonly tokens: readonly string[];
  /** The embedding, then each block. */
  readonly rows: number;
  /** A second model was asked too. */
  readonly compared: boolean;
  /** By how much more probable that one holds the token that came next; NaN after the last, or where it is not known. */
  readonly gained: (row: number, token: number) => number;
  /** The likeliest next tokens after a token, seen from a row, best first; nothing where it is not known. */
  readonly top: (row: number, token: number) => LensGuess[];
}

/** undefined without any part. */
export function lensOf(parts: readonly LensPart[]): Lens | undefined {
  return lensIn(parts, (answer) => answer.tensors);
}

/** What the second model says, where two were asked. */
export function otherLensOf(parts: readonly LensPart[]): Lens | undefined {
  return lensIn(
    parts.filter(({ answer }) => answer.otherTensors.length > 0),
    (answer) => answer.otherTensors,
  );
}

function lensIn(
  parts: readonly LensPart[],
  tensorsOf: (answer: AnalyseResponse) => readonly NamedTensor[],
): Lens | undefined {
  const read = new Map(
    parts.map(({ first, answer }) => [first, readPart(answer, tensorsOf(answer))]),
  );
  const [one] = parts;
  if (one === undefined) return undefined;
  const placeOf = (token: number) => {
    const within = token % PART_TOKENS;
    return { part: read.get(token - within), within };
  };
  return {
    tokens: one.answer.tokens.map((token) => visibleToken(token.text)),
    rows: read.get(one.first)?.rows ?? 0,
    compared: one.answer.differences.length > 0,
    gained: (row, token) => {
      const { part, within } = placeOf(token);
      return part?.gained?.[row * part.count + within] ?? NaN;
    },
    top: (row, token) => {
      const { part, within } = placeOf(token);
      return part?.top(row, within) ?? [];
    },
  };
}

function readPart(answer: AnalyseResponse, tensors: readonly NamedTensor[]) {
  const ids = tensorNamed(tensors, "top_ids");
  const probabilities = tensorNamed(tensors, "top_probabilities").values;
  const compared = answer.differences.length > 0;
  const [rows = 0, count = 0, top = 0] = ids.shape;
  const texts = new Map(answer.words.map((word) => [word.id, visibleToken(word.text)]));
  return {
    rows,
    count,
    gained: compared ? tensorNamed(answer.differences, "next_probability").values : undefined,
    top: (row: number, within: number): LensGuess[] =>
      Array.from({ length: top }, (_, rank) => {
        const cell = (row * count + within) * top + rank;
        const id = ids.values[cell] ?? 0;
        return { text: texts.get(id) ?? `#${id}`, probability: probabilities[cell] ?? 0 };
      }),
  };
}
