import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "@/gen/lab/v1/event_pb";
import { SpikeKind } from "@/gen/lab/v1/recording_pb";
import { RunState } from "@/gen/lab/v1/run_pb";
import { markersOf } from "./use-markers";

type Fact = Exclude<MessageInitShape<typeof EventSchema>, { $typeName: string }>["fact"];

const state = (state: RunState, step: number): Fact => ({
  case: "runStateChanged",
  value: { run: { state, stats: { step } } },
});
const marks = (...facts: Fact[]) =>
  markersOf(facts.map((fact) => create(EventSchema, { fact }))).map(({ kind, x }) => [kind, x]);

describe("markers of a run", () => {
  it("tell pauses and resumes, but not the first start", () => {
    expect(
      marks(
        state(RunState.STARTING, 0),
        state(RunState.RUNNING, 0),
        state(RunState.PAUSING, 9),
        state(RunState.PAUSED, 10),
        state(RunState.RUNNING, 10),
        state(RunState.SUCCEEDED, 20),
      ),
    ).toEqual([
      ["pause", 10],
      ["resume", 10],
    ]);
  });

  it("tell spikes, and what spiked", () => {
    const spike = (kind: SpikeKind): Fact => ({ case: "spikeFlagged", value: { step: 7, kind } });
    const events = [spike(SpikeKind.LOSS), spike(SpikeKind.GRAD_NORM), spike(SpikeKind.LOSS)];
    const told = markersOf(events.map((fact) => create(EventSchema, { fact })));
    expect(told.map(({ kind, text }) => [kind, text])).toEqual([
      ["spike", "loss spike at step 7"],
      ["spike", "gradient spike at step 7"],
    ]);
  });

  it("tell a run that went on from its checkpoint", () => {
    expect(
      marks(
        state(RunState.INTERRUPTED, 57),
        state(RunState.STARTING, 50),
        state(RunState.RUNNING, 50),
      ),
    ).toEqual([["resume", 50]]);
  });

  it("do not take the first start of a fork for a resume", () => {
    const start = [state(RunState.STARTING, 50), state(RunState.RUNNING, 50)];
    const events = (...facts: Fact[]) => facts.map((fact) => create(EventSchema, { fact }));
    expect(markersOf(events(...start), 50)).toEqual([]);
    const later = [...start, state(RunState.INTERRUPTED, 70), state(RunState.RUNNING, 60)];
    expect(markersOf(events(...later), 50)).toMatchObject([{ kind: "resume", x: 60 }]);
  });

  it("do not take a change of notes while running for a resume", () => {
    expect(marks(state(RunState.RUNNING, 0), state(RunState.RUNNING, 30))).toEqual([]);
  });

  it("show a checkpoint and a step's samples once each", () => {
    const sample = (step: number, promptIndex: number): Fact => ({
      case: "textSampled",
      value: { step, promptIndex },
    });
    expect(
      marks(sample(50, 0), sample(50, 1), sample(100, 0), {
        case: "checkpointCommitted",
        value: { step: 100 },
      }),
    ).toEqual([
      ["sample", 50],
      ["sample", 100],
      ["checkpoint", 100],
    ]);
  });
});
