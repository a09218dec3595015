// The rail across the foot of a page: the life of a run on one line, and the playhead on it.
import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { prepareCanvas } from "@/charts/heatmap/canvas";
import { useStage } from "@/charts/heatmap/use-stage";
import { turns } from "@/charts/line/turns";
import { formatCount } from "@/lib/format";
import { frames } from "@/lib/frame";
import { Button } from "@/ui/button";
import { drawRail, RAIL_HEIGHT, railScale } from "./draw-rail";
import { sayFlags } from "./flags";
import type { Rail } from "./rail";
import styles from "./playhead-rail.module.css";
import { nearestStop, snapped, type Place } from "./stops";
import type { Playhead } from "./use-playhead";

const HELP =
  "Drag, or click in a chart. , and . go to the stop before and after, with Shift to events; Space plays on, or from the " +
  "start when at the live end; L goes back to live. Strokes: the run looked at its probe texts. Blocks: saved weights, which can be asked about any text.";

export function PlayheadRail({
  rail,
  playhead,
  newestStep,
  live,
  log,
  shownStep,
}: {
  rail: Rail;
  playhead: Playhead;
  newestStep: number;
  /** Whether the run makes steps. */
  live: boolean;
  /** Whether steps are spread by their logarithm. */
  log: boolean;
  /** Step of what the page shows at the live end, where it is known. */
  shownStep?: number | undefined;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, pixelRatio, theme } = useStage(frame);
  const [pointed, setPointed] = useState<number | null>(null);
  const { stops, flags, series } = rail;
  const { at } = playhead;
  const newestOf = () => Math.max(newestStep, series.step, stops.at(-1)?.step ?? 0);

  useEffect(() => {
    const draw = () => {
      if (canvas.current === null || width === 0) return;
      const context = prepareCanvas(canvas.current, { width, height: RAIL_HEIGHT, pixelRatio });
      const newest = Math.max(newestStep, series.step, stops.at(-1)?.step ?? 0);
      const loss = series.column("loss");
      if (context) drawRail(context, { stops, flags, loss, newest, at, live, log }, width);
    };
    frames.draw(draw);
    const stop = series.onChange(() => turns.ask(draw));
    return () => {
      stop();
      frames.forget(draw);
      turns.forget(draw);
    };
  }, [stops, flags, series, at, live, log, newestStep, width, pixelRatio, theme]);

  const stepUnder = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return railScale(newestOf(), width, log).invert(event.clientX - box.left);
  };
  const drag = (event: PointerEvent) => {
    const step = stepUnder(event);
    setPointed(step);
    if (event.buttons === 1) playhead.place(snapped(stops, step, newestOf()));
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowLeft") playhead.step(-1);
    else if (event.key === "ArrowRight") playhead.step(1);
    else if (event.key === "Home") playhead.place(stops[0]?.step ?? null);
    else if (event.key === "End") playhead.place(null);
    else return;
    event.preventDefault();
  };
  const flagged = pointed === null ? undefined : nearestStop(stopsOfFlags(rail), pointed);
  return (
    <section className={styles["rail"]} aria-label="Playhead" data-testid="playhead">
      <div className={styles["controls"]}>
        <Button
          kind="quiet"
          aria-label="The stop before"
          title="The stop before ( , )"
          disabled={stops.length === 0 || at === stops[0]?.step}
          onClick={() => playhead.step(-1)}
        >
          ‹
        </Button>
        <Button
          kind="quiet"
          aria-pressed={playhead.playing}
          title={`${playhead.playing ? "Halt" : at === null ? "Play from the start" : "Play on"} (Space)`}
          disabled={stops.length === 0}
          onClick={() => playhead.play(!playhead.playing)}
          data-testid="playhead-play"
        >
          {playhead.playing ? "❚❚" : "▶"}
        </Button>
        <Button
          kind="quiet"
          aria-label="The next stop"
          title="The next stop ( . )"
          disabled={at === null}
          onClick={() => playhead.step(1)}
        >
          ›
        </Button>
      </div>
      <div
        ref={frame}
        className={styles["track"]}
        role="slider"
        tabIndex={0}
        aria-label="Step that is looked at"
        aria-valuemin={0}
        aria-valuemax={newestStep}
        aria-valuenow={at ?? newestStep}
        aria-valuetext={at === null ? "live end" : `step ${formatCount(at)}`}
        title={(flagged && sayFlags(flags, flagged.step)) || HELP}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          drag(event);
        }}
        onPointerMove={drag}
        onPointerLeave={() => setPointed(null)}
        onKeyDown={onKey}
        data-testid="playhead-rail"
        data-at={at ?? "live"}
        data-stops={stops.length}
        data-flags={flags.length}
      >
        <canvas ref={canvas} aria-hidden="true" style={{ width: "100%", height: RAIL_HEIGHT }} />
      </div>
      <div className={styles["where"]} aria-live="polite">
        <strong data-testid="playhead-step">
          {at === null ? stepWords(shownStep ?? newestStep) : stepWords(at)}
        </strong>
        <span className={styles["what"]}>{whatIs(rail, at)}</span>
      </div>
      <Button
        aria-pressed={at === null}
        title="Back to the live end (L)"
        onClick={() => playhead.place(null)}
        data-testid="playhead-live"
      >
        <span className={live ? styles["pulse"] : styles["still"]} aria-hidden="true" />
        {live ? "live" : "newest"}
      </Button>
    </section>
  );
}

function stepWords(step: number): string {
  return `step ${formatCount(step)}`;
}

function stopsOfFlags({ flags }: Rail) {
  return flags.map(({ step }) => ({ step, checkpoint: null, probe: false }));
}

function whatIs({ stops }: Rail, at: Place): string {
  if (at === null) return stops.length === 0 ? "nothing recorded yet" : "";
  const stop = stops.find(({ step }) => step === at);
  if (stop === undefined) return "nothing kept here";
  if (stop.checkpoint === null) return "probe record";
  return stop.probe ? "weights + record" : "weights";
}
