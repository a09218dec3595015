// The answer to a lens question, cell by cell.
import { tensorNamed } from "@/api/tensors";
import type { AnalyseResponse } from "@/gen/lab/v1/analysis_service_pb";
import { visibleToken } from "@/lib/token-text";

export interface LensGuess {
  readonly text: string;
  readonly probability: number;
}

export interface Lens {
  readonly tokens: readonly string[];
  /** The embedding, then each block. */
  readonly rows: number;
  /** The likeliest next tokens after a token, seen from a row; best first. */
  readonly top: (row: number, token: number) => LensGuess[];
}

export function lensOf(answer: AnalyseResponse): Lens {
  const ids = tensorNamed(answer.tensors, "top_ids");
  const probabilities = tensorNamed(answer.tensors, "top_probabilities").values;
  const [rows = 0, count = 0, top = 0] = ids.shape;
  const texts = new Map(answer.words.map((word) => [word.id, visibleToken(word.text)]));
  return {
    tokens: answer.tokens.map((token) => visibleToken(token.text)),
    rows,
    top: (row, token) =>
      Array.from({ length: top }, (_, rank) => {
        const cell = (row * count + token) * top + rank;
        const id = ids.values[cell] ?? 0;
        return { text: texts.get(id) ?? `#${id}`, probability: probabilities[cell] ?? 0 };
      }),
  };
}
