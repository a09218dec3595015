// How surprised a model is by each token of a text, and what it held likelier.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { analysisQuery } from "@/api/analyses";
import { tensorNamed } from "@/api/tensors";
import type { AnalyseResponse } from "@/gen/lab/v1/analysis_service_pb";
import type { Asked } from "./use-attention";

const TOP = 5;
const NONE: never[] = [];

export interface Guess {
  readonly id: number;
  readonly text: string;
  readonly probability: number;
}

export interface TokenLosses {
  readonly losses: Float32Array;
  readonly ranks: Float32Array;
  /** What was held likeliest at the place of a token, best first; nothing for the first. */
  readonly guesses: (position: number) => Guess[];
}

export function tokenLossesQuery({ model, other }: Asked, text: string) {
  const question = { case: "tokens", value: { top: TOP } } as const;
  return analysisQuery(model, { text, question, other });
}

/** undefined until it is known; while another model is asked, what the one before said of this text stays. */
export function useTokenLosses(asked: Asked, text: string) {
  const { data, isPlaceholderData, isFetching } = useQuery({
    ...tokenLossesQuery(asked, text),
    enabled: asked.model !== undefined && text !== "",
    placeholderData: (before, query) => (query?.queryKey[2] === text ? before : undefined),
  });
  const answer = useMemo(() => (data === undefined ? undefined : tokenLosses(data)), [data]);
  const compared = data && data.otherTensors.length > 0 ? data : undefined;
  const others = useMemo(
    () => compared && tokenLosses({ tensors: compared.otherTensors, words: compared.words }),
    [compared],
  );
  return {
    data: answer,
    tokens: data?.tokens ?? NONE,
    step: data?.step ?? 0,
    /** Of the second model. */
    other: others && { step: compared?.otherStep ?? 0, answer: others },
    old: isPlaceholderData,
    pending: isFetching && (data === undefined || isPlaceholderData),
  };
}

export function tokenLosses({
  tensors,
  words,
}: Pick<AnalyseResponse, "tensors" | "words">): TokenLosses {
  const ids = tensorNamed(tensors, "top_ids");
  const probabilities = tensorNamed(tensors, "top_probabilities").values;
  const top = ids.shape[1] ?? 0;
  const texts = new Map(words.map((word) => [word.id, word.text]));
  return {
    losses: tensorNamed(tensors, "loss").values,
    ranks: tensorNamed(tensors, "rank").values,
    // The row of a place tells what comes after it.
    guesses: (position) =>
      Array.from({ length: position > 0 ? top : 0 }, (_, rank) => {
        const cell = (position - 1) * top + rank;
        const id = ids.values[cell] ?? 0;
        return { id, text: texts.get(id) ?? `#${id}`, probability: probabilities[cell] ?? 0 };
      }),
  };
}
