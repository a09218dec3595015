// What is known of each process, folded from beats. A process that stops beating is lost, whoever notices first.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ServiceState, type Event, type ServiceBeat } from "@/gen/lab/v1/event_pb";
import type { ChannelReducer } from "@/live/channel";

export interface Heard {
  readonly beat: ServiceBeat;
  /** By the clock of whoever sent it; NaN when it did not say. */
  readonly sentMs: number;
  /** By the clock of this browser. */
  readonly heardMs: number;
}

/** By name of the service. */
export type SystemState = ReadonlyMap<string, Heard>;

export const LOST_AFTER_MS = 10_000; // five beats

export const systemReducer: ChannelReducer<SystemState> = {
  initial: () => new Map(),
  snapshot: (_, { state }) =>
    (state.case === "events" ? state.value.events : []).reduce(withEvent, new Map()),
  publication: (state, { payload }) =>
    payload.case === "event" ? withEvent(state, payload.value) : state,
};

function withEvent(state: SystemState, event: Event): SystemState {
  if (event.fact.case !== "serviceBeat") return state;
  const beat = event.fact.value;
  const sentMs = event.time ? timestampMs(event.time) : Number.NaN;
  const held = state.get(beat.service);
  if (held !== undefined && held.sentMs > sentMs) return state;
  return new Map(state).set(beat.service, { beat, sentMs, heardMs: Date.now() });
}

/** Whether the gateway is without NATS, over which it hears of everything that happens. Its own beat comes without. */
export function waitsForBus(state: SystemState): boolean {
  return state.get("gateway")?.beat.waitingFor.some((what) => what.startsWith("nats")) ?? false;
}

/** How a service is doing, as far as this browser can tell. `following` is whether beats would arrive at all. */
export function stateOf(
  heard: Heard | undefined,
  { nowMs, following }: { nowMs: number; following: boolean },
): ServiceState {
  if (heard === undefined) return ServiceState.UNSPECIFIED;
  if (following && nowMs - heard.heardMs > LOST_AFTER_MS) return ServiceState.LOST;
  return heard.beat.state;
}
