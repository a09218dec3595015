// Who waits for a slot, in the order in which they will start: as they were created.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";

/** Name of each waiting run -> its place, from 1. */
export function queuePlaces(runs: readonly Run[]): ReadonlyMap<string, number> {
  const born = (run: Run) => (run.createTime ? timestampMs(run.createTime) : 0);
  const waiting = runs.filter(({ state }) => state === RunState.PENDING);
  const order = waiting.sort((a, b) => born(a) - born(b) || a.name.localeCompare(b.name));
  return new Map(order.map((run, index) => [run.name, index + 1]));
}
