// Asks once for what a fork inherits: it does not change any more.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { queryInherited } from "@/api/runs";
import type { Marker } from "@/charts/line/markers";
import type { Run } from "@/gen/lab/v1/run_pb";
import { forkMarkers, inheritedFrom, type Inherited } from "./inherited";
import { METRICS } from "./step-series";

const MOST_POINTS = 4000;

export interface Ancestry {
  /** undefined for a run that is no fork, until it is here, and when the runs before it are gone. */
  readonly inherited: Inherited | undefined;
  /** By step. */
  readonly forks: readonly Marker[];
  /** 0 for a run that is no fork. */
  readonly forkStep: number;
  /** It is a fork of a run that was deleted since. */
  readonly orphan: boolean;
  readonly error: Error | null;
}

/** The run is undefined before it is known. */
export function useInherited(run: string, known: Run | undefined): Ancestry {
  const { run: from, checkpoint, step = 0 } = known?.parent ?? {};
  const { data, error } = useQuery({
    queryKey: ["inherited", run, checkpoint],
    queryFn: ({ signal }) =>
      queryInherited(run, { series: [...METRICS], stepTo: step, maxPoints: MOST_POINTS }, signal),
    enabled: checkpoint !== undefined,
    staleTime: Infinity,
  });
  // From values, not from the run: that is another object with every fact.
  return useMemo(
    () => ({
      inherited: data && data.length > 0 ? inheritedFrom(step, data) : undefined,
      forks: from === undefined ? [] : forkMarkers({ run: from, step }, data ?? []),
      forkStep: step,
      orphan: data?.length === 0,
      error,
    }),
    [from, step, data, error],
  );
}
