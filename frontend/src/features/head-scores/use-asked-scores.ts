// Scores of models themselves, for what no record tells: of an import, and of weights of another run.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { analysisQuery } from "@/api/analyses";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { askedRecord } from "./asked-record";

export interface WeightsToAsk {
  /** Those at the playhead. */
  readonly model: LoadedModel | undefined;
  /** Those compared with, where they are another run's and have the like of each head. */
  readonly other?: LoadedModel | undefined;
  readonly otherRun?: string | undefined;
  /** What both read as real text; may be empty. */
  readonly text: string;
  /** What catches the eye first is there: the maps, and the colours of the text. */
  readonly ready: boolean;
}

export function useAskedScores(weights: WeightsToAsk | undefined, { wanted }: { wanted: boolean }) {
  const { text = "", model, other, ready = false } = weights ?? {};
  const question = { case: "heads", value: {} } as const;
  const { data, error, isPlaceholderData } = useQuery({
    ...analysisQuery(model, { text, question, other }),
    enabled: wanted && ready && model !== undefined,
    placeholderData: keepPreviousData,
  });
  const mine = useMemo(() => data && askedRecord(data.tensors, data.step), [data]);
  const theirs = useMemo(
    () =>
      data && data.otherTensors.length > 0
        ? askedRecord(data.otherTensors, data.otherStep)
        : undefined,
    [data],
  );
  const known = wanted && model !== undefined;
  return {
    mine: known ? mine : undefined,
    theirs: known && other !== undefined ? theirs : undefined,
    error: known ? error : null,
    /** Of other weights, until those wanted have answered. */
    old: isPlaceholderData,
  };
}
