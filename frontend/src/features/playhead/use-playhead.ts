// The playhead of a page: a step in the address (?at=), or the live end without one. Only people move it.
import { useCallback, useEffect, useState } from "react";
import { useSearchParams } from "react-router";
import { useShortcut } from "@/lib/use-shortcut";
import { neighbour, nextEvent, type Flag, type Place, type Stop } from "./stops";

/** Slow enough to look, fast enough for a film. */
const PLAY_EVERY_MS = 700;

export interface Playhead {
  readonly at: Place;
  readonly playing: boolean;
  readonly place: (at: Place) => void;
  readonly step: (by: 1 | -1) => void;
  readonly jump: (by: 1 | -1) => void;
  readonly play: (on: boolean) => void;
}

export function usePlayhead(
  stops: readonly Stop[],
  flags: readonly Flag[],
  /** May the film show its next picture? */
  ready = true,
): Playhead {
  const [parameters, setParameters] = useSearchParams();
  const [playing, setPlaying] = useState(false);
  const at = placeIn(parameters, stops);
  const put = useCallback(
    (next: Place) => setParameters((held) => withPlace(held, next), { replace: true }),
    [setParameters],
  );
  const place = (next: Place) => {
    setPlaying(false);
    if (next !== at) put(next);
  };
  const playhead: Playhead = {
    at,
    playing,
    place,
    step: (by) => place(neighbour(stops, at, by)),
    jump: (by) => place(nextEvent(stops, flags, at, by)),
    play: (on) => {
      // From the live end there is nothing to play but all of it again.
      if (on && at === null) put(stops[0]?.step ?? null);
      setPlaying(on && stops.length > 0);
    },
  };
  useEffect(() => {
    if (!playing || !ready) return;
    const timer = setTimeout(() => {
      const next = neighbour(stops, at, 1);
      put(next);
      if (next === null) setPlaying(false);
    }, PLAY_EVERY_MS);
    return () => clearTimeout(timer);
  }, [playing, ready, stops, at, put]);
  useShortcut(",", "Playhead: the stop before", () => playhead.step(-1));
  useShortcut(".", "Playhead: the next stop", () => playhead.step(1));
  useShortcut("shift+,", "Playhead: the event before", () => playhead.jump(-1));
  useShortcut("shift+.", "Playhead: the next event", () => playhead.jump(1));
  useShortcut(" ", "Playhead: play, or halt; from the start when at the live end", () =>
    playhead.play(!playing),
  );
  useShortcut("l", "Playhead: back to live", () => place(null));
  return playhead;
}

/** A link to a checkpoint (?checkpoint=) is a place too: its step. */
export function placeIn(parameters: URLSearchParams, stops: readonly Stop[]): Place {
  const at = parameters.get("at") ?? "";
  if (/^\d{1,9}$/.test(at)) return Number(at);
  const checkpoint = parameters.get("checkpoint") ?? "";
  if (checkpoint === "") return null;
  const id = checkpoint.slice(checkpoint.lastIndexOf("/") + 1);
  return stops.find((stop) => stop.checkpoint?.endsWith(`/${id}`))?.step ?? null;
}

export function withPlace(parameters: URLSearchParams, at: Place): URLSearchParams {
  const next = new URLSearchParams(parameters);
  next.delete("checkpoint");
  if (at === null) next.delete("at");
  else next.set("at", String(at));
  return next;
}
