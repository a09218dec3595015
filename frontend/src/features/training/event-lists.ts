// The channels "runs/{run}/samples" and "runs/{run}/logs": the newest events, oldest first.
import type { Event } from "@/gen/lab/v1/event_pb";
import type { ChannelReducer } from "@/live/channel";

export const MOST_EVENTS = 500;

/** undefined before the first snapshot. */
export const eventList: ChannelReducer<readonly Event[] | undefined> = {
  initial: () => undefined,
  snapshot: (state, { state: said }) => (said.case === "events" ? said.value.events : state),
  publication: (state, { payload }) =>
    payload.case === "event" ? added(state ?? [], payload.value) : state,
};

// A fact that was in the snapshot already may come once more; its sequence in the run tells.
function added(events: readonly Event[], event: Event): readonly Event[] {
  if (event.sequence !== 0n && events.some((one) => one.sequence === event.sequence)) return events;
  return [...events, event].slice(-MOST_EVENTS);
}
