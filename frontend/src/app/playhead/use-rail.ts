// What the rail of a run shows: where the playhead can stand, what happened, and the loss behind it.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { probesQuery } from "@/api/probes";
import { listFacts } from "@/api/runs";
import { placeOf } from "@/features/checkpoints/checkpoint-name";
import { useCheckpoints } from "@/features/checkpoints/use-checkpoints";
import { stepSeries, type StepSeries } from "@/features/training/step-series";
import type { Run } from "@/gen/lab/v1/run_pb";
import { FLAG_KINDS, flagsOf } from "@/features/playhead/flags";
import type { Rail } from "@/features/playhead/rail";
import { runNews } from "@/features/playhead/run-news";
import { stopsOf } from "@/features/playhead/stops";
import { useChannel } from "@/live/use-channel";

const MOST_FACTS = 1000;
const NONE: never[] = [];

export interface RunRail extends Rail {
  readonly series: StepSeries;
  /** Changes when the run recorded something. */
  readonly news: number;
}

/** `name` is "runs/{run}"; `run` is undefined when it was deleted and its checkpoints stayed. */
export function useRail(name: string, run: Run | undefined, runs: readonly Run[] = NONE): RunRail {
  const there = run !== undefined;
  const news = useChannel(there ? name : null, runNews).state;
  const series = useChannel(there ? `${name}/steps` : null, stepSeries).state;
  const checkpoints = useCheckpoints().data;
  const probes = useQuery({
    ...probesQuery(name, news, { scores: false, limit: 1 }),
    enabled: there,
  }).data;
  const facts = useQuery({
    queryKey: ["rail-facts", name, news],
    queryFn: ({ signal }) => listFacts(name, { kinds: FLAG_KINDS, limit: MOST_FACTS }, signal),
    placeholderData: keepPreviousData,
    enabled: there,
    gcTime: 0,
  }).data;
  const stops = useMemo(() => {
    const id = name.slice(name.lastIndexOf("/") + 1);
    const mine = (checkpoints ?? NONE).filter((one) => placeOf(one.name).run === id);
    return stopsOf({ checkpoints: mine, probes: probes?.steps ?? NONE });
  }, [name, checkpoints, probes]);
  const flags = useMemo(() => {
    const forks = runs.filter((one) => one.parent?.run === name);
    return flagsOf(run, forks, facts ?? NONE);
  }, [name, run, runs, facts]);
  return { stops, flags, series, news };
}
