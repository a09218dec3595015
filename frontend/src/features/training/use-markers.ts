// The facts that belong on the loss chart: checkpoints, samples, pauses and resumes, at their place on the axis.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Marker } from "@/charts/line/markers";
import type { Event } from "@/gen/lab/v1/event_pb";
import { SpikeKind } from "@/gen/lab/v1/recording_pb";
import { RunState } from "@/gen/lab/v1/run_pb";
import { formatCount } from "@/lib/format";
import type { ChannelReducer } from "@/live/channel";
import { useChannel } from "@/live/use-channel";
import { placeOfStep, type Axis } from "./axis";
import { eventList, MOST_EVENTS } from "./event-lists";
import { factsQuery } from "./facts-query";
import type { StepSeries } from "./step-series";
import type { Ancestry } from "./use-inherited";

export function useMarkers(
  run: string,
  changes: string,
  series: StepSeries,
  axis: Axis,
  { forks, forkStep, inherited }: Ancestry,
): readonly Marker[] {
  const { state: samples } = useChannel(`${run}/samples`, eventList);
  const { data: facts } = useQuery(factsQuery(run, changes));
  const { state: spikes } = useChannel(run, newSpikes);
  return useMemo(() => {
    const placed = (markers: readonly Marker[], along: StepSeries) =>
      markers.map((marker) => ({ ...marker, x: placeOfStep(along, axis, marker.x) }));
    const own = [
      ...markersOf([...(facts ?? []), ...spikes], forkStep),
      ...markersOf(samples ?? []),
    ];
    return [...placed(forks, inherited?.series ?? series), ...placed(own, series)];
  }, [facts, spikes, samples, series, axis, forks, forkStep, inherited]);
}

const SPIKES: Record<SpikeKind, string> = {
  [SpikeKind.UNSPECIFIED]: "spike",
  [SpikeKind.LOSS]: "loss spike",
  [SpikeKind.GRAD_NORM]: "gradient spike",
  [SpikeKind.NON_FINITE]: "a number that is none",
};

/** Those that come while the page is open; what came before is asked for. */
const newSpikes: ChannelReducer<readonly Event[]> = {
  newsOnly: true,
  initial: () => [],
  snapshot: (state) => state,
  publication: (state, { payload }) =>
    payload.case === "event" && payload.value.fact.case === "spikeFlagged"
      ? [...state, payload.value].slice(-MOST_EVENTS)
      : state,
};

/** Markers by step, in the order of the events, which come oldest first. A fork has begun at another step than 0. */
export function markersOf(events: readonly Event[], firstStep = 0): Marker[] {
  const markers: Marker[] = [];
  const add = (kind: Marker["kind"], step: number, what: string) => {
    const text = `${what} at step ${formatCount(step)}`;
    if (!markers.some((one) => one.text === text)) markers.push({ x: step, kind, text });
  };
  let before = RunState.UNSPECIFIED;
  for (const { fact } of events) {
    if (fact.case === "checkpointCommitted") add("checkpoint", fact.value.step, "checkpoint");
    else if (fact.case === "spikeFlagged") {
      add("spike", fact.value.step, SPIKES[fact.value.kind]);
    } else if (fact.case === "textSampled") add("sample", fact.value.step, "sample");
    else if (fact.case === "runStateChanged" && fact.value.run) {
      const { state, stats } = fact.value.run;
      if (state === before) continue; // its notes changed, or it made progress
      const step = stats?.step ?? 0;
      if (state === RunState.PAUSED) add("pause", step, "paused");
      if (state === RunState.RUNNING && (before === RunState.PAUSED || step > firstStep)) {
        add("resume", step, "resumed");
      }
      before = state;
    }
  }
  return markers;
}
