// What happened to a run, asked for anew whenever `changes` says that something did.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { listFacts } from "@/api/runs";

const KINDS = ["run_state_changed", "checkpoint_committed", "spike_flagged", "run_resumed"];

export function factsQuery(run: string, changes: string) {
  return queryOptions({
    queryKey: ["facts", run, changes],
    queryFn: ({ signal }) => listFacts(run, { kinds: KINDS }, signal),
    placeholderData: keepPreviousData,
  });
}
