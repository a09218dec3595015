// Asks for the health of a run again when a record was made, at most once a second.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { healthKey } from "@/api/health";
import type { ChannelReducer } from "@/live/channel";
import { useChannel } from "@/live/use-channel";

const AT_MOST_EVERY_MS = 1_000;

/** Counts what changes the answer. A snapshot does: after a break nobody knows what was missed. */
const healthNews: ChannelReducer<number> = {
  newsOnly: true,
  initial: () => 0,
  snapshot: (count) => count + 1,
  publication: (count, { payload }) =>
    payload.case === "event" &&
    (payload.value.fact.case === "healthMeasured" || payload.value.fact.case === "runRewound")
      ? count + 1
      : count,
};

/** `run` is "runs/{run}". Answers whether what is asked for from now on misses no record. */
export function useNewRecords(run: string): boolean {
  const { state: news, status } = useChannel(run, healthNews);
  const followed = status !== "waiting";
  const queries = useQueryClient();
  const answered = useRef<number>(undefined); // the news that the newest answer knows of
  const askedAtMs = useRef(0);
  useEffect(() => {
    if (!followed) return;
    answered.current ??= news; // the first question comes now
    if (news === answered.current) return;
    const waitMs = Math.max(0, askedAtMs.current + AT_MOST_EVERY_MS - performance.now());
    const timer = setTimeout(() => {
      askedAtMs.current = performance.now();
      answered.current = news;
      void queries.invalidateQueries({ queryKey: healthKey(run) });
    }, waitMs);
    return () => clearTimeout(timer);
  }, [news, followed, queries, run]);
  return followed;
}
