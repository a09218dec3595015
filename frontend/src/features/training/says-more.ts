// Which facts are worth a line in the log.
import { type Event } from "@/gen/lab/v1/event_pb";

/** For a filter over facts, newest first. A run is told anew when it got a checkpoint or a name, too:
    the same state again is no news. */
export function saysMore({ fact }: Event, place: number, events: Event[]): boolean {
  if (fact.case !== "runStateChanged") return true;
  for (const before of events.slice(place + 1)) {
    if (before.fact.case !== "runStateChanged") continue;
    const [now, then] = [fact.value.run, before.fact.value.run];
    return now?.state !== then?.state || now?.stateReason !== then?.stateReason;
  }
  return true;
}
