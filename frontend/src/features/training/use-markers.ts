// The facts that belong on the loss chart: checkpoints, samples, pauses and resumes, at their place on the axis.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Marker } from "@/charts/line/markers";
import type { Event } from "@/gen/lab/v1/event_pb";
import { RunState } from "@/gen/lab/v1/run_pb";
import { formatCount } from "@/lib/format";
import { useChannel } from "@/live/use-channel";
import { placeOfStep, type Axis } from "./axis";
import { eventList } from "./event-lists";
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
  return useMemo(
    () =>
      [...markersOf(facts ?? []), ...markersOf(samples ?? [])].map((marker) => ({
        ...marker,
        x: placeOfStep(series, axis, marker.x),
      })),
    [facts, samples, series, axis],
  );
}

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
    else if (fact.case === "textSampled") add("sample", fact.value.step, "sample");
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
