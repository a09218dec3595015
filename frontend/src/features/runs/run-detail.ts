// The channel "runs/{run}": the run, and the facts that belong on its charts.
import type { Event, EvaluationCompleted, CheckpointCommitted } from "@/gen/lab/v1/event_pb";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import type { ChannelReducer } from "@/live/channel";

export interface RunDetailState {
  /** undefined before the first snapshot. */
  run: Run | undefined;
  /** By step, rising; one per step. */
  evaluations: readonly EvaluationCompleted[];
  checkpoints: readonly CheckpointCommitted[];
  deleted: boolean;
}

const EMPTY: RunDetailState = { run: undefined, evaluations: [], checkpoints: [], deleted: false };

function withStep<Fact extends { step: number }>(facts: readonly Fact[], fact: Fact): Fact[] {
  return [...facts.filter((one) => one.step !== fact.step), fact].sort((a, b) => a.step - b.step);
}

// A run that starts again from a checkpoint has not made the evaluations after it.
function upTo(run: Run, evaluations: readonly EvaluationCompleted[]) {
  if (run.state !== RunState.PENDING && run.state !== RunState.STARTING) return evaluations;
  const step = run.stats?.step ?? 0;
  return evaluations.filter((evaluation) => evaluation.step <= step);
}

function fold(state: RunDetailState, { fact }: Event): RunDetailState {
  switch (fact.case) {
    case "runStateChanged": {
      const { run } = fact.value;
      return run ? { ...state, run, evaluations: upTo(run, state.evaluations) } : state;
    }
    case "evaluationCompleted": {
      const { run } = state;
      const stats = run?.stats;
      const next = { ...state, evaluations: withStep(state.evaluations, fact.value) };
      if (!run || !stats) return next;
      return { ...next, run: { ...run, stats: { ...stats, validationLoss: fact.value.loss } } };
    }
    case "checkpointCommitted":
      return { ...state, checkpoints: withStep(state.checkpoints, fact.value) };
    case "runDeleted":
      return { ...state, deleted: true };
    default:
      return state;
  }
}

export const runDetail: ChannelReducer<RunDetailState> = {
  initial: () => EMPTY,
  snapshot: (state, { state: said }) =>
    said.case === "run" ? said.value.events.reduce(fold, { ...EMPTY, run: said.value.run }) : state,
  publication: (state, { payload }) =>
    payload.case === "event" ? fold(state, payload.value) : state,
};
