// Brings a model into memory. For a run in training that means: take its weights of this moment, then load them.
import { useQuery } from "@tanstack/react-query";
import { loadModel } from "@/api/models";
import { ASK_AGAIN_MS, whileAway } from "@/api/retry";
import { peekRun } from "@/api/runs";
import type { ModelSource } from "./model-source";

const FOLLOW_EVERY_MS = 5_000;
/** Entering the page again sooner than this shows the weights at hand. */
const FRESH_MS = 10_000;

export function useSourceModel(source: ModelSource, { follow }: { follow: boolean }) {
  return useQuery({
    queryKey: ["source-model", source.kind, source.kind === "live" ? source.run : source.name],
    queryFn: ({ signal }) => bring(source, signal),
    // What was seen last stays while a run is between two states.
    enabled: source.kind !== "live" || source.ready,
    staleTime: FRESH_MS,
    retry: whileAway,
    retryDelay: ASK_AGAIN_MS,
    refetchOnWindowFocus: false,
    refetchInterval: follow && source.kind === "live" ? FOLLOW_EVERY_MS : false,
  });
}

async function bring(source: ModelSource, signal: AbortSignal) {
  if (source.kind !== "live") return loadModel(source.name, signal);
  const peek = await peekRun(source.run, signal);
  return loadModel(peek.name, signal);
}
