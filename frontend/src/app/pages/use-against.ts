// Brings the weights at the second playhead into memory.
import { asProblem } from "@/api/problem";
import { sourceFor, type ModelSource } from "@/features/attention/model-source";
import { useSourceModel } from "@/features/attention/use-source-model";
import { NEWEST, type Against } from "@/features/compare-models/against";
import { nearestStop, type Stop } from "@/features/playhead/stops";
import type { Run } from "@/gen/lab/v1/run_pb";

/** What a source is when there is none: nothing is loaded for a record. */
const NOTHING: ModelSource = { kind: "record", name: "", step: 0 };

export function useAgainst(
  runId: string,
  {
    run,
    stops,
    saved,
    against,
  }: {
    run: Run | undefined;
    stops: readonly Stop[];
    /** Names of the run's checkpoints, newest first. */
    saved: readonly string[];
    against: Against | null;
  },
) {
  const kept = stops.filter(({ checkpoint }) => checkpoint !== null);
  const name = typeof against === "number" ? nearestStop(kept, against)?.checkpoint : null;
  const newest = against === NEWEST && sourceFor(runId, { run, checkpoint: null, saved });
  const source = name ? ({ kind: "checkpoint", name } as const) : newest || NOTHING;
  const loading = useSourceModel(source, { follow: false });
  const wanted = source.kind !== "record";
  const trouble = loading.error ?? loading.failureReason;
  return {
    other: wanted ? loading.data : undefined,
    looking: wanted && loading.isFetching,
    problem: wanted && trouble !== null ? asProblem(trouble) : undefined,
    retry: () => void loading.refetch(),
  };
}
