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

export function useMarkers(
  run: string,
  changes: string,
  series: StepSeries,
  axis: Axis,
): readonly Marker[] {
  const { state: samples } = useChannel(`${run}/samples`, eventList);
  const { data: facts } = useQuery(factsQuery(run, changes));
  const { state: spikes } = useChannel(run, newSpikes);
  return useMemo(
    () =>
      [...markersOf([...(facts ?? []), ...spikes]), ...markersOf(samples ?? [])].map((marker) => ({
        ...marker,
        x: placeOfStep(series, axis, marker.x),
      })),
    [facts, spikes, samples, series, axis],
  );
}

const SPIKES: Record<SpikeKind, string> = {
  [SpikeKind.UNSPECIFIED]: "spike",
  [SpikeKind.LOSS]: "loss spike",
  [SpikeKind.GRAD_NORM]: "gradient spike",
  [SpikeKind.NON_FINITE]: "a number that is none",
};

/** Those that come while the page is open; what came before is asked for. */
const newSpikes: ChannelReducer<readonly Event[]> = {
  initial: () => [],
  snapshot: (state) => state,
  publication: (state, { payload }) =>
    payload.case === "event" && payload.value.fact.case === "spikeFlagged"
      ? [...state, payload.value].slice(-MOST_EVENTS)
      : state,
};

/** Markers by step, in the order of the events, which come oldest first. */
export function markersOf(events: readonly Event[]): Marker[] {
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
      if (state === RunState.RUNNING && (before === RunState.PAUSED || step > 0)) {
        add("resume", step, "resumed");
      }
      before = state;
    }
  }
  return markers;
}
