// Draws the rail: the loss as a backdrop, a tick for each place the playhead can stand at, flags, the playhead.
import type { Columns } from "@/charts/line/columns";
import { traceLine } from "@/charts/line/geometry";
import { Trace } from "@/charts/line/trace";
import { cssColor } from "@/lib/colors";
import { scaleLinear, scaleSymlog } from "d3-scale";
import type { FlagKind, Flag, Place, Stop } from "./stops";

export const RAIL_HEIGHT = 46;
const MARGIN = 10;
const FLAG_TOP = 9;
const TICKS_BOTTOM = RAIL_HEIGHT - 3;
const trace = new Trace();

const COLORS: Record<FlagKind, `--${string}`> = {
  spike: "--failed",
  differs: "--failed",
  best: "--running",
  change: "--paused",
  resume: "--done",
  fork: "--done",
};

// A letter as well, because colour is never the only sign.
const LETTERS: Record<FlagKind, string> = {
  spike: "!",
  differs: "≠",
  best: "★",
  change: "c",
  resume: "r",
  fork: "Y",
};

export interface RailPicture {
  readonly stops: readonly Stop[];
  readonly flags: readonly Flag[];
  readonly loss: Columns;
  readonly newest: number;
  readonly at: Place;
  /** Whether the run makes steps. */
  readonly live: boolean;
  readonly log: boolean;
}

/** From a step to a place on the rail; the looks at a young run are many, so they may be spread by their logarithm. */
export function railScale(newest: number, width: number, log: boolean) {
  const scale = log ? scaleSymlog() : scaleLinear();
  return scale
    .domain([0, Math.max(1, newest)])
    .range([MARGIN, Math.max(MARGIN + 1, width - MARGIN)]);
}

export function drawRail(context: CanvasRenderingContext2D, picture: RailPicture, width: number) {
  const { stops, flags, newest, at, live } = picture;
  const x = railScale(newest, width, picture.log);
  drawLoss(context, picture, x);
  context.fillStyle = cssColor("--ink-5");
  for (const { step, checkpoint } of stops) {
    // A checkpoint is a block, a record a stroke.
    if (checkpoint !== null) context.fillRect(x(step) - 2.5, TICKS_BOTTOM - 11, 5, 11);
    else context.fillRect(x(step) - 0.5, TICKS_BOTTOM - 7, 1.5, 7);
  }
  context.font = `11px ${cssColor("--font-text")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const { step, kind } of flags) {
    context.fillStyle = cssColor(COLORS[kind]);
    context.fillRect(x(step) - 0.5, FLAG_TOP + 4, 1, TICKS_BOTTOM - FLAG_TOP - 4);
    context.fillText(LETTERS[kind], x(step), FLAG_TOP - 1);
  }
  context.fillStyle = cssColor(live ? "--running" : "--ink-5");
  context.beginPath();
  context.arc(x(newest), RAIL_HEIGHT / 2, 4, 0, 2 * Math.PI);
  context.fill();
  drawHead(context, x(at ?? newest));
}

function drawLoss(
  context: CanvasRenderingContext2D,
  { loss, newest, log }: RailPicture,
  x: ReturnType<typeof railScale>,
): void {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < loss.length; i += 1) {
    const value = loss.y[i] ?? NaN;
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return;
  const y = scaleLinear([low, high > low ? high : low + 1], [TICKS_BOTTOM - 4, FLAG_TOP]);
  context.strokeStyle = context.fillStyle = cssColor("--train");
  context.globalAlpha = 0.5;
  context.lineWidth = 1;
  // A line is traced along straight scales: where the rail's is none, its steps are placed before.
  const placed = log ? { ...loss, x: loss.x.subarray(0, loss.length).map(x) } : loss;
  const [from = 0, to = 0] = log ? x.range() : [0, newest];
  traceLine(placed, [from, to], log ? scaleLinear() : x, y, false, trace.begin());
  if (trace.noisy) trace.fillColumns(context, 1);
  else {
    context.beginPath();
    trace.replay(context);
    context.stroke();
  }
  context.globalAlpha = 1;
}

function drawHead(context: CanvasRenderingContext2D, px: number): void {
  context.fillStyle = cssColor("--accent");
  context.fillRect(px - 1, 4, 2, RAIL_HEIGHT - 6);
  context.beginPath();
  context.moveTo(px - 6, 0);
  context.lineTo(px + 6, 0);
  context.lineTo(px, 8);
  context.closePath();
  context.fill();
}
