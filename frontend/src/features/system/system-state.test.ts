import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EventSchema, ServiceState } from "@/gen/lab/v1/event_pb";
import { PublicationSchema, SnapshotSchema } from "@/gen/lab/v1/live_pb";
import { LOST_AFTER_MS, stateOf, systemReducer, waitsForBus } from "./system-state";

function beat(service: string, memory: number, sentMs: number, state = ServiceState.READY) {
  return create(EventSchema, {
    producer: service,
    time: timestampFromMs(sentMs),
    fact: {
      case: "serviceBeat",
      value: {
        $typeName: "lab.v1.ServiceBeat",
        ...EMPTY_BEAT,
        service,
        state,
        memoryBytes: BigInt(memory),
      },
    },
  });
}

const EMPTY_BEAT = { waitingFor: [], version: "0.1.0", uptimeSecs: 1 };
const published = (event: ReturnType<typeof beat>) =>
  create(PublicationSchema, { payload: { case: "event", value: event } });

beforeEach(() => {
  vi.useFakeTimers({ now: 50_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("systemReducer", () => {
  it("keeps the newest beat of each service", () => {
    let state = systemReducer.snapshot(
      systemReducer.initial(),
      create(SnapshotSchema, {
        state: {
          case: "events",
          value: {
            $typeName: "lab.v1.EventList",
            events: [beat("trainer", 1, 1000), beat("gateway", 2, 1000)],
          },
        },
      }),
    );
    state = systemReducer.publication(state, published(beat("trainer", 3, 3000)));
    state = systemReducer.publication(state, published(beat("trainer", 4, 2000)));
    expect([...state.keys()].sort()).toEqual(["gateway", "trainer"]);
    expect(state.get("trainer")?.beat.memoryBytes).toBe(3n);
  });
});

describe("stateOf", () => {
  const heard = systemReducer
    .publication(systemReducer.initial(), published(beat("trainer", 1, 1000)))
    .get("trainer");

  it("believes a fresh beat", () => {
    expect(stateOf(heard, { nowMs: (heard?.heardMs ?? 0) + 2000, following: true })).toBe(
      ServiceState.READY,
    );
  });

  it("calls a silent service lost, but only while beats could have come", () => {
    const nowMs = (heard?.heardMs ?? 0) + LOST_AFTER_MS + 1;
    expect(stateOf(heard, { nowMs, following: true })).toBe(ServiceState.LOST);
    expect(stateOf(heard, { nowMs, following: false })).toBe(ServiceState.READY);
  });

  it("does not know what it never heard", () => {
    expect(stateOf(undefined, { nowMs: 0, following: true })).toBe(ServiceState.UNSPECIFIED);
  });
});

describe("the bus", () => {
  it.each([
    [["nats at nats://127.0.0.1:4222"], true],
    [["trainer at 127.0.0.1:50051"], false],
    [[], false],
  ])("is away when the gateway waits for it: %j", (waitingFor, away) => {
    const fact = { case: "serviceBeat" as const, value: { service: "gateway", waitingFor } };
    const event = create(EventSchema, { fact });
    const publication = create(PublicationSchema, { payload: { case: "event", value: event } });
    expect(waitsForBus(systemReducer.publication(systemReducer.initial(), publication))).toBe(away);
  });
});
