// Brings a model into memory. For a run in training that means: take its weights of this moment, then load them.
import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { loadModel } from "@/api/models";
import { ASK_AGAIN_MS, whileAway } from "@/api/retry";
import { peekRun } from "@/api/runs";
import type { ModelSource } from "./model-source";

const FOLLOW_EVERY_MS = 5_000;
/** Entering the page again sooner than this shows the weights at hand. */
const FRESH_MS = 10_000;

/** Of a run's page: while other weights are on their way, those seen last stay. */
export function useSourceModel(source: ModelSource, { follow }: { follow: boolean }) {
  return useQuery({
    ...sourceModelQuery(source),
    // What was seen last stays while a run is between two states.
    enabled: source.kind !== "record" && (source.kind !== "live" || source.ready),
    retry: whileAway,
    retryDelay: ASK_AGAIN_MS,
    placeholderData: keepPreviousData,
    refetchInterval: follow && source.kind === "live" ? FOLLOW_EVERY_MS : false,
  });
}

export function sourceModelQuery(source: ModelSource) {
  return queryOptions({
    queryKey: ["source-model", source.kind, source.kind === "live" ? source.run : source.name],
    queryFn: ({ signal }) => bring(source, signal),
    staleTime: FRESH_MS,
    refetchOnWindowFocus: false,
  });
}

async function bring(source: ModelSource, signal: AbortSignal) {
  if (source.kind === "record") throw new Error("A probe record is no model.");
  if (source.kind !== "live") return loadModel(source.name, signal);
  const peek = await peekRun(source.run, signal);
  return loadModel(peek.name, signal);
}
