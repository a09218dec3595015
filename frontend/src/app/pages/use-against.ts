// Where the second playhead can stand, and the weights there brought into memory.
import { useMemo } from "react";
import { asProblem } from "@/api/problem";
import { idOf, sourceFor, type ModelSource } from "@/features/attention/model-source";
import { useSourceModel } from "@/features/attention/use-source-model";
import { againstOf, isElsewhere, NEWEST, type Against } from "@/features/compare-models/against";
import type { OtherCheckpoint } from "@/features/compare-models/against-picker";
import { isImport, placeOf } from "@/features/checkpoints/checkpoint-name";
import { useCheckpoints } from "@/features/checkpoints/use-checkpoints";
import { nearestStop, type Stop } from "@/features/playhead/stops";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import type { Run } from "@/gen/lab/v1/run_pb";

/** What a source is when there is none: nothing is loaded for a record. */
const NOTHING: ModelSource = { kind: "record", name: "", step: 0 };

export function useAgainst(
  runId: string,
  {
    run,
    runs,
    stops,
    saved,
    against,
  }: {
    run: Run | undefined;
    runs: readonly Run[];
    stops: readonly Stop[];
    /** Names of the run's checkpoints, newest first. */
    saved: readonly string[];
    against: Against | null;
  },
) {
  const kept = stops.filter(({ checkpoint }) => checkpoint !== null);
  const ofRun = typeof against === "number" ? nearestStop(kept, against)?.checkpoint : null;
  const name = isElsewhere(against) ? against : ofRun;
  const newest = against === NEWEST && sourceFor(runId, { run, checkpoint: null, saved });
  const source = name ? ({ kind: "checkpoint", name } as const) : newest || NOTHING;
  const loading = useSourceModel(source, { follow: false });
  const wanted = source.kind !== "record";
  const shelf = useCheckpoints().data;
  const elsewhere = useMemo(() => notOf(runId, shelf ?? [], runs), [runId, shelf, runs]);
  const trouble = loading.error ?? loading.failureReason;
  return {
    elsewhere,
    /** The run whose weights they are, where it is another. */
    run: elsewhere.find((one) => one.name === against)?.run,
    other: wanted ? loading.data : undefined,
    looking: wanted && loading.isFetching,
    problem: wanted && trouble !== null ? asProblem(trouble) : undefined,
    retry: () => void loading.refetch(),
  };
}

/** What was saved elsewhere, those of one run together by step, under the name people gave the run. */
function notOf(
  runId: string,
  shelf: readonly Checkpoint[],
  runs: readonly Run[],
): OtherCheckpoint[] {
  const called = new Map(runs.map((one) => [idOf(one.name), one.displayName]));
  return shelf
    .flatMap(({ name, step }) => {
      const place = placeOf(name);
      const source = againstOf(name);
      // Imports have no steps of their own to choose from: each is listed by its name.
      if ((place.run === runId && !isImport(name)) || !isElsewhere(source)) return [];
      const group = isImport(name)
        ? `import ${place.checkpoint}`
        : called.get(place.run) || place.run;
      return { name: source, run: group, step };
    })
    .sort((a, b) => a.run.localeCompare(b.run) || a.step - b.step);
}
