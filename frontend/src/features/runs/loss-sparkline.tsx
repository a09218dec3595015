// The loss of a run from its first step to its newest, small. Asked for only while its row is in sight.
import { queryOptions, useQuery } from "@tanstack/react-query";
import { querySeries } from "@/api/runs";
import { Sparkline } from "@/charts/sparkline/sparkline";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";

const POINTS = 120;
const MOVING_EVERY_MS = 5_000;

function curveQuery(run: string, state: RunState) {
  const moving = state === RunState.RUNNING || state === RunState.STOPPING;
  return queryOptions({
    queryKey: ["curve", run, state],
    queryFn: async ({ signal }) => {
      const set = await querySeries(run, { series: ["loss"], maxPoints: POINTS }, signal);
      return pairMeans(set.series[0]?.values ?? []);
    },
    staleTime: moving ? 0 : Infinity,
    refetchInterval: moving ? MOVING_EVERY_MS : false,
  });
}

export function LossSparkline({ run }: { run: Run }) {
  const { data } = useQuery(curveQuery(run.name, run.state));
  return <Sparkline values={data ?? []} color="--train" />;
}

/** A thinned series goes up and down between the extremes of its buckets; at this size only its middle can be read. */
function pairMeans(values: readonly number[]): number[] {
  if (values.length < POINTS / 2) return [...values];
  return values
    .filter((_, i) => i % 2 === 0)
    .map((value, i) => (value + (values[2 * i + 1] ?? value)) / 2);
}
