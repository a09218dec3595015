// The answer to a lens question, cell by cell.
import { tensorNamed } from "@/api/tensors";
import type { AnalyseResponse } from "@/gen/lab/v1/analysis_service_pb";
import type { NamedTensor } from "@/gen/lab/v1/tensor_pb";
import { visibleToken } from "@/lib/token-text";

export interface LensGuess {
  readonly text: string;
  readonly probability: number;
}

export interface Lens {
  readonly tokens: readonly string[];
  /** The embedding, then each block. */
  readonly rows: number;
  /** By how much more probable a second model holds the token that came next: [rows, tokens], NaN after the last. */
  readonly gained?: Float32Array | undefined;
  /** The likeliest next tokens after a token, seen from a row; best first. */
  readonly top: (row: number, token: number) => LensGuess[];
}

export function lensOf(answer: AnalyseResponse): Lens {
  return lensIn(answer, answer.tensors);
}

/** What the second model says, where two were asked. */
export function otherLensOf(answer: AnalyseResponse): Lens | undefined {
  return answer.otherTensors.length === 0 ? undefined : lensIn(answer, answer.otherTensors);
}

function lensIn(answer: AnalyseResponse, tensors: readonly NamedTensor[]): Lens {
  const ids = tensorNamed(tensors, "top_ids");
  const probabilities = tensorNamed(tensors, "top_probabilities").values;
  const compared = answer.differences.length > 0;
  const [rows = 0, count = 0, top = 0] = ids.shape;
  const texts = new Map(answer.words.map((word) => [word.id, visibleToken(word.text)]));
  return {
    tokens: answer.tokens.map((token) => visibleToken(token.text)),
    rows,
    gained: compared ? tensorNamed(answer.differences, "next_probability").values : undefined,
    top: (row, token) =>
      Array.from({ length: top }, (_, rank) => {
        const cell = (row * count + token) * top + rank;
        const id = ids.values[cell] ?? 0;
        return { text: texts.get(id) ?? `#${id}`, probability: probabilities[cell] ?? 0 };
      }),
  };
}
