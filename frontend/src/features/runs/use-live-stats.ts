// The newest numbers of a run that is moving. Its state changes too rarely to show progress, so its steps are followed too.
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import type { StepMeasured } from "@/gen/lab/v1/event_pb";
import type { ChannelReducer } from "@/live/channel";
import { useChannel } from "@/live/use-channel";
import { runDetail } from "./run-detail";

const newestStep: ChannelReducer<StepMeasured | undefined> = {
  initial: () => undefined,
  snapshot: (state) => state,
  publication: (state, { payload }) =>
    payload.case === "event" && payload.value.fact.case === "stepMeasured"
      ? payload.value.fact.value
      : state,
  maxPoints: 2, // its history is not looked at
};

const MOVING = new Set([RunState.STARTING, RunState.RUNNING, RunState.PAUSING, RunState.STOPPING]);

export interface LiveStats {
  step: number;
  loss: number | undefined;
  validationLoss: number | undefined;
  tokensPerSec: number | undefined;
}

export function useLiveStats(run: Run): LiveStats {
  const moving = MOVING.has(run.state);
  const measured = useChannel(moving ? `${run.name}/steps` : null, newestStep).state;
  const detail = useChannel(moving ? run.name : null, runDetail).state.run;
  const { stats } = run;
  return {
    step: measured?.step ?? stats?.step ?? 0,
    loss: measured?.loss ?? stats?.loss,
    validationLoss: detail?.stats?.validationLoss ?? stats?.validationLoss,
    tokensPerSec: measured?.tokensPerSec ?? stats?.tokensPerSec,
  };
}
