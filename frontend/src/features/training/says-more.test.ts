import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema, type Event } from "@/gen/lab/v1/event_pb";
import { RunState } from "@/gen/lab/v1/run_pb";
import { saysMore } from "./says-more";

function moved(sequence: number, state: RunState, stateReason = ""): Event {
  return create(EventSchema, {
    sequence: BigInt(sequence),
    fact: { case: "runStateChanged", value: { run: { state, stateReason } } },
  });
}

function saved(sequence: number): Event {
  return create(EventSchema, {
    sequence: BigInt(sequence),
    fact: { case: "checkpointCommitted", value: { step: 50 } },
  });
}

const told = (newestFirst: Event[]) =>
  newestFirst.filter(saysMore).map((event) => Number(event.sequence));

describe("what the log tells", () => {
  it("leaves out a state that only holds on, whatever came between", () => {
    const { RUNNING, STARTING } = RunState;
    expect(told([moved(4, RUNNING), saved(3), moved(2, RUNNING), moved(1, STARTING)])).toEqual([
      3, 2, 1,
    ]);
  });

  it("tells a state that came back, and one with another reason", () => {
    const { PAUSED, RUNNING, FAILED } = RunState;
    expect(told([moved(3, RUNNING), moved(2, PAUSED), moved(1, RUNNING)])).toEqual([3, 2, 1]);
    expect(told([moved(2, FAILED, "no room"), moved(1, FAILED, "no number")])).toEqual([2, 1]);
  });
});
