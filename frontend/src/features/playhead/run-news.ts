// Says that a run has more to show on its rail, or less: counts the facts that change what a list would answer.
import type { ChannelReducer } from "@/live/channel";

const TELLING: ReadonlySet<string | undefined> = new Set([
  "probeRecorded",
  "spikeFlagged",
  "evaluationCompleted",
  "settingsChanged",
  "checkpointCommitted",
  "runResumed",
  "runRewound",
  "stepDiffered",
]);

export const runNews: ChannelReducer<number> = {
  newsOnly: true,
  initial: () => 0,
  snapshot: (count) => count + 1,
  publication: (count, { payload }) =>
    payload.case === "event" && TELLING.has(payload.value.fact.case) ? count + 1 : count,
};
