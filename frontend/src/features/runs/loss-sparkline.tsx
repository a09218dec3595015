// The loss of a run from its first step to its newest, small. Asked for only while its row is in sight.
import { queryOptions, useQuery } from "@tanstack/react-query";
import { querySeries } from "@/api/runs";
import { Sparkline } from "@/charts/sparkline/sparkline";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";

const POINTS = 60;
const MOVING_EVERY_MS = 5_000;

function curveQuery(run: string, state: RunState) {
  const moving = state === RunState.RUNNING || state === RunState.STOPPING;
  return queryOptions({
    queryKey: ["curve", run, state],
    queryFn: async ({ signal }) => {
      const set = await querySeries(run, { series: ["loss"], maxPoints: POINTS }, signal);
      return set.series[0]?.values ?? [];
    },
    staleTime: moving ? 0 : Infinity,
    refetchInterval: moving ? MOVING_EVERY_MS : false,
  });
}

export function LossSparkline({ run }: { run: Run }) {
  const { data } = useQuery(curveQuery(run.name, run.state));
  return <Sparkline values={data ?? []} color="--train" />;
}
