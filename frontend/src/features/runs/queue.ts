// Who waits for a slot: place, and how long as far as the server has measured.
import { useQuery } from "@tanstack/react-query";
import { getQueue } from "@/api/runs";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import type { QueuedRun } from "@/gen/lab/v1/trainer_service_pb";
import { formatDuration } from "@/lib/format";

const EVERY_MS = 5_000;

export interface Waiting {
  /** From 1. */
  place: number;
  queued: QueuedRun;
}

/** By name of the run. Asked for only while somebody waits. */
export function useQueue(runs: readonly Run[]): ReadonlyMap<string, Waiting> {
  const waiting = runs.filter(({ state }) => state === RunState.PENDING).map(({ name }) => name);
  const { data } = useQuery({
    queryKey: ["queue", ...waiting],
    queryFn: ({ signal }) => getQueue(signal),
    enabled: waiting.length > 0,
    refetchInterval: EVERY_MS,
    staleTime: 0,
    placeholderData: (before) => before,
  });
  return places(waiting.length > 0 ? (data ?? []) : []);
}

export function places(queue: readonly QueuedRun[]): ReadonlyMap<string, Waiting> {
  return new Map(queue.map((queued, index) => [queued.run, { place: index + 1, queued }]));
}

/** "next, in 4 m 10 s", "no. 3 in line, start unknown". */
export function placeText({ place, queued: { startsInSecs } }: Waiting): string {
  const where = place === 1 ? "next" : `no. ${place} in line`;
  if (startsInSecs === undefined) return `${where}, start unknown`;
  return startsInSecs < 1 ? where : `${where}, in ${formatDuration(startsInSecs)}`;
}

/** The long form: what is known of it, and why the rest is not. */
export function placeDefinition({ queued: { takesSecs, unknownBecause } }: Waiting): string {
  const takes =
    takesSecs === undefined ? "" : `It will then train for about ${formatDuration(takesSecs)}. `;
  const unknown = unknownBecause === "" ? "" : `Not known in full: ${unknownBecause}. `;
  return `${takes}${unknown}From steps measured on this machine, never guessed.`;
}
