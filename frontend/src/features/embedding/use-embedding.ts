// The map of a model, turned onto the first map that was seen here, so that what moves has moved in the model.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { analysisQuery } from "@/api/analyses";
import { ProblemError } from "@/api/problem";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { embeddingPoints } from "./embedding-points";

export function useEmbedding(
  { model, other }: { model: LoadedModel | undefined; other: LoadedModel | undefined },
  { count, text, inView }: { count: number; text: string; inView: boolean },
) {
  const [anchor, setAnchor] = useState(model);
  const question = { case: "embedding", value: { count } } as const;
  const mine = useQuery({
    ...analysisQuery(anchor, { text, question, other: besides(anchor, model) }),
    enabled: inView && model !== undefined && anchor !== undefined,
    placeholderData: keepPreviousData,
  });
  const theirs = useQuery({
    ...analysisQuery(anchor, { text, question, other: besides(anchor, other) }),
    enabled: inView && other !== undefined && anchor !== undefined,
    placeholderData: keepPreviousData,
  });
  // The weights of a peek may be gone for good; then the map begins anew with those at hand.
  const gone = mine.error instanceof ProblemError && mine.error.problem.reason === "NOT_FOUND";
  if (model !== undefined && (anchor === undefined || (gone && anchor.name !== model.name))) {
    setAnchor(model);
  }
  const map = useMemo(
    () => mine.data && embeddingPoints(mine.data, mine.data.otherTensors.length > 0),
    [mine.data],
  );
  const otherMap = useMemo(
    () => other && theirs.data && embeddingPoints(theirs.data, theirs.data.otherTensors.length > 0),
    [other, theirs.data],
  );
  return {
    map,
    otherMap,
    step: mine.data && (mine.data.otherTensors.length > 0 ? mine.data.otherStep : mine.data.step),
    error: mine.error ?? (other ? theirs.error : null),
    old: mine.isPlaceholderData,
  };
}

function besides(anchor: LoadedModel | undefined, model: LoadedModel | undefined) {
  return model?.name === anchor?.name ? undefined : model;
}
