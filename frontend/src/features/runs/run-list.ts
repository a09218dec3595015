// The channel "runs": all runs, newest first, as facts change them.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Run } from "@/gen/lab/v1/run_pb";
import type { ChannelReducer } from "@/live/channel";

/** undefined before the first snapshot. */
export type RunList = readonly Run[] | undefined;

function createdMs(run: Run): number {
  return run.createTime ? timestampMs(run.createTime) : 0;
}

export const runList: ChannelReducer<RunList> = {
  initial: () => undefined,
  snapshot: (state, { state: said }) => (said.case === "runs" ? said.value.runs : state),
  publication: (state, { payload }) => {
    if (payload.case !== "event" || state === undefined) return state;
    const { fact, run: name } = payload.value;
    if (fact.case === "runDeleted") return state.filter((run) => run.name !== name);
    if (fact.case !== "runStateChanged" || !fact.value.run) return state;
    const changed = fact.value.run;
    if (changed.deleteTime) return state.filter((run) => run.name !== name); // it is in the trash
    if (state.some((run) => run.name === changed.name)) {
      return state.map((run) => (run.name === changed.name ? changed : run));
    }
    return [changed, ...state].sort((a, b) => createdMs(b) - createdMs(a));
  },
};
