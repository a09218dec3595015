// Puts a line chart on a canvas: grid, axes, reference lines, lines, marks, cursor, selection.
import { cssColor } from "@/lib/colors";
import type { Columns } from "./columns";
import { lowerBound, nearestIndex } from "./columns";
import { outliers } from "./clip";
import { drawMarkers, type Marker } from "./markers";
import { oddValues, traceLine, yTicks, type Box, type Scale } from "./geometry";
import type { Ink } from "./ink";
import { Trace } from "./trace";
import type { Stretch } from "./window";

export interface Line {
  name: string;
  color: `--${string}`;
  /** Faint for raw values, bold for what is to be read, points for rare measurements. */
  mark: "faint" | "bold" | "points";
  columns: Columns;
  /** Says that another line speaks for it: not in tooltip and legend. */
  untold?: boolean;
  /** Tells it from another line of the same colour. */
  dash?: readonly number[];
  /** Drawn pale, because another one is looked at. */
  pale?: boolean;
  /** Filled up to these, which have their points at the same places: the band of a group. */
  upTo?: Columns;
  /** Recorded by a run before this one: drawn fainter. */
  inherited?: boolean;
  /** Where it has something to say: after the first end, up to the last. Everywhere when absent. */
  reach?: Stretch;
}

/** Its name among lines of other runs. */
export function fullName({ name, inherited = false }: Line): string {
  return inherited ? `${name}, inherited` : name;
}

/** Whether a line has something to say there; else its nearest point would be taken for one of that place. */
export function speaksAt({ reach }: Line, x: number): boolean {
  return reach === undefined || (x > reach[0] && x <= reach[1]);
}

export interface Reference {
  name: string;
  y: number;
}

export interface Scene {
  width: number;
  height: number;
  box: Box;
  x: Scale;
  y: Scale;
  shown: Stretch;
  logY: boolean;
  lines: readonly Line[];
  references: readonly Reference[];
  markers: readonly Marker[];
  /** Whether the height leaves outliers out. */
  clip: boolean;
  cursor: number | null;
  /** Where the playhead stands. */
  mark: number | null;
  /** Pixels between which a zoom is being dragged. */
  selection: Stretch | null;
  formatX: (x: number) => string;
  /** Ticks stand at whole x where there are two of them: of a logarithm, at powers of ten. */
  wholeX?: boolean;
  formatY: (y: number) => string;
  /** Label of a tick, given the distance to its neighbour. */
  formatTickY: (y: number, distance: number) => string;
  /** Ticks are made round in y times this, as in bytes shown as MiB. */
  tickFactor: number;
  /** Whether it is for a file: there lines stay paths, however long that takes. */
  forFile?: boolean;
}

export const FONT = "11px system-ui, sans-serif";
const trace = new Trace();
const FIRST_PX = 5;
const PIXELS_PER_X_TICK = 72;
const PIXELS_PER_Y_TICK = 34;

export function drawScene(context: Ink, scene: Scene): void {
  const { box } = scene;
  context.font = FONT;
  context.lineWidth = 1;
  if (scene.lines.every(({ columns }) => columns.length === 0)) {
    drawNothing(context, scene); // an axis without a number on it would be made up
    return;
  }
  drawAxes(context, scene);
  context.save();
  context.beginPath();
  context.rect(box.left, box.top - 2, box.right - box.left, box.bottom - box.top + 4);
  context.clip();
  drawReferences(context, scene);
  for (const line of scene.lines) drawLine(context, scene, line);
  for (const line of scene.lines) if (line.mark !== "bold") drawOdd(context, scene, line);
  if (scene.clip)
    for (const line of scene.lines) if (!line.pale) drawOutliers(context, scene, line);
  drawMarkers(context, scene.markers, box, scene.x, scene.shown);
  drawMark(context, scene);
  drawCursor(context, scene);
  if (scene.selection) {
    const [from, to] = scene.selection;
    context.globalAlpha = 0.15;
    context.fillStyle = cssColor("--accent");
    context.fillRect(Math.min(from, to), box.top, Math.abs(to - from), box.bottom - box.top);
    context.globalAlpha = 1;
  }
  context.restore();
}

function drawNothing(context: Ink, { box }: Scene): void {
  context.fillStyle = cssColor("--muted");
  context.textAlign = "center";
  context.textBaseline = "middle";
  const middle = (box.left + box.right) / 2;
  context.fillText("nothing measured yet", middle, (box.top + box.bottom) / 2);
}

function drawAxes(context: Ink, scene: Scene): void {
  const { box, x, y } = scene;
  const crisp = (at: number) => Math.round(at) + 0.5;
  const factor = scene.tickFactor;
  const rows = Math.max(2, Math.floor((box.bottom - box.top) / PIXELS_PER_Y_TICK));
  const domain = y.domain().map((value) => value * factor);
  const ticksY = yTicks(y.copy().domain(domain), scene.logY, rows).map((tick) => tick / factor);
  const distance = Math.min(...ticksY.slice(1).map((tick, i) => Math.abs(tick - (ticksY[i] ?? 0))));
  context.strokeStyle = cssColor("--grid");
  context.fillStyle = cssColor("--muted");
  context.textAlign = "right";
  context.textBaseline = "middle";
  let said = "";
  for (const tick of ticksY) {
    const py = crisp(y(tick));
    const text = scene.formatTickY(tick, distance);
    context.beginPath();
    context.moveTo(box.left, py);
    context.lineTo(box.right, py);
    context.stroke();
    if (text !== said) context.fillText(text, box.left - 6, py); // closer than it can be said
    said = text;
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  const columns = Math.max(2, Math.floor((box.right - box.left) / PIXELS_PER_X_TICK));
  let before = "";
  const ticksX = x.ticks(columns);
  const whole = scene.wholeX === true ? ticksX.filter(Number.isInteger) : [];
  for (const tick of whole.length > 1 ? whole : ticksX) {
    const px = crisp(x(tick));
    const text = scene.formatX(tick);
    if (px > box.right + 1 || text === before) continue; // between two steps there is none
    before = text;
    context.beginPath();
    context.moveTo(px, box.bottom);
    context.lineTo(px, box.bottom + 4);
    context.stroke();
    const half = context.measureText(text).width / 2;
    context.fillText(text, Math.min(px, scene.width - half - 1), box.bottom + 6);
  }
  context.strokeStyle = cssColor("--ink-4");
  context.beginPath();
  context.moveTo(box.left, crisp(box.bottom));
  context.lineTo(box.right, crisp(box.bottom));
  context.stroke();
}

function drawReferences(context: Ink, scene: Scene): void {
  const { box, y } = scene;
  for (const reference of scene.references) {
    const py = Math.round(y(reference.y)) + 0.5;
    if (!(py > box.top && py < box.bottom)) continue;
    context.strokeStyle = cssColor("--reference");
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(box.left, py);
    context.lineTo(box.right, py);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = cssColor("--muted");
    const above = py - box.top > 16;
    context.textAlign = "right";
    context.textBaseline = above ? "bottom" : "top";
    context.fillText(reference.name, box.right - 4, above ? py - 2 : py + 3);
  }
}

function drawLine(context: Ink, scene: Scene, line: Line): void {
  const { x, y, shown, logY } = scene;
  context.strokeStyle = context.fillStyle = cssColor(line.color);
  if (line.mark === "points") {
    drawPoints(context, scene, line);
    return;
  }
  if (line.upTo) drawBand(context, scene, line, line.upTo);
  if (line.columns.length === 1 && line.mark === "bold") drawFirst(context, scene, line);
  const thickness = line.mark === "faint" ? 1 : 1.75;
  context.globalAlpha = opacity(line);
  traceLine(line.columns, shown, x, y, logY, trace.begin());
  if (trace.noisy && !line.dash && !scene.forFile) trace.fillColumns(context, thickness);
  else {
    context.setLineDash([...(line.dash ?? [])]);
    context.lineWidth = thickness;
    context.lineJoin = context.lineCap = "round";
    context.beginPath();
    trace.replay(context);
    context.stroke();
    context.setLineDash([]);
    context.lineWidth = 1;
  }
  context.globalAlpha = 1;
}

/** The first point of a curve has no neighbour yet, and a canvas draws no line from a place to itself. */
function drawFirst(context: Ink, { x, y, logY }: Scene, { columns }: Line): void {
  const value = columns.y[0] ?? NaN;
  if (!Number.isFinite(value) || (logY && value <= 0)) return;
  const [px, py] = [x(columns.x[0] ?? 0), y(value)];
  context.fillRect(px - FIRST_PX / 2, py - FIRST_PX / 2, FIRST_PX, FIRST_PX);
}

/** Between a line and the one above it, as one shape. */
function drawBand(context: Ink, { x, y, shown, logY, box }: Scene, line: Line, upTo: Columns) {
  const { columns } = line;
  context.globalAlpha = 0.18 * (line.pale ? 0.3 : 1);
  context.beginPath();
  const begin = Math.max(0, lowerBound(columns, shown[0]) - 1);
  const end = Math.min(columns.length, lowerBound(columns, shown[1]) + 1);
  const drawable = (value: number) => Number.isFinite(value) && !(logY && value <= 0);
  const place = (at: number, value: number) =>
    [x(columns.x[at] ?? 0), drawable(value) ? y(value) : box.bottom] as const;
  for (let i = begin; i < end; i += 1) context.lineTo(...place(i, columns.y[i] ?? NaN));
  for (let i = end - 1; i >= begin; i -= 1) context.lineTo(...place(i, upTo.y[i] ?? NaN));
  context.closePath();
  context.fill();
  context.globalAlpha = 1;
}

function opacity({ mark, pale = false, inherited = false }: Line): number {
  return (mark === "faint" ? 0.35 : 1) * (pale ? 0.2 : 1) * (inherited ? 0.5 : 1);
}

function drawPoints(context: Ink, scene: Scene, line: Line): void {
  const { x, y, shown, logY } = scene;
  const { columns } = line;
  context.lineWidth = 1;
  context.globalAlpha = 0.5 * opacity(line);
  context.beginPath();
  traceLine(columns, shown, x, y, logY, context);
  context.stroke();
  context.globalAlpha = opacity(line);
  const begin = Math.max(0, lowerBound(columns, shown[0]));
  for (let i = begin; i < columns.length && (columns.x[i] ?? Infinity) <= shown[1]; i += 1) {
    const value = columns.y[i] ?? NaN;
    if (!Number.isFinite(value) || (logY && value <= 0)) continue;
    drawDiamond(context, x(columns.x[i] ?? 0), y(value), 4);
  }
  context.globalAlpha = 1;
}

function drawDiamond(context: Ink, px: number, py: number, r: number): void {
  context.beginPath();
  context.moveTo(px, py - r);
  context.lineTo(px + r, py);
  context.lineTo(px, py + r);
  context.lineTo(px - r, py);
  context.closePath();
  context.fill();
}

// Letters rather than shapes alone: they say what happened at that step.
const ODD_SIGNS = { NaN: "✕", "+Inf": "▲", "-Inf": "▼", "not above 0": "○" } as const;

function drawOdd(context: Ink, scene: Scene, line: Line): void {
  const { box } = scene;
  context.fillStyle = cssColor("--failed");
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const odd of oddValues(line.columns, scene.shown, scene.x, scene.logY)) {
    context.fillText(
      ODD_SIGNS[odd.kind],
      odd.px,
      odd.kind === "+Inf" ? box.top + 5 : box.bottom - 6,
    );
  }
}

/** A tick at the edge for each value that is above or below the height shown. */
function drawOutliers(context: Ink, scene: Scene, line: Line): void {
  const { box, x, y, shown } = scene;
  context.fillStyle = cssColor(line.color);
  context.globalAlpha = 0.8;
  for (const { px, above } of outliers(line.columns, shown, x, y)) {
    context.fillRect(px - 1, above ? box.top - 2 : box.bottom - 4, 2, 6);
  }
  context.globalAlpha = 1;
}

/** The playhead: a line with a handle on top, so that it is not taken for the cursor. */
function drawMark(context: Ink, { box, mark, x, shown }: Scene): void {
  if (mark === null || mark < shown[0] || mark > shown[1]) return;
  const px = Math.round(x(mark)) + 0.5;
  context.strokeStyle = context.fillStyle = cssColor("--accent");
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(px, box.top);
  context.lineTo(px, box.bottom);
  context.stroke();
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(px - 5, box.top - 2);
  context.lineTo(px + 5, box.top - 2);
  context.lineTo(px, box.top + 5);
  context.closePath();
  context.fill();
}

function drawCursor(context: Ink, scene: Scene): void {
  const { box, cursor, x, y } = scene;
  if (cursor === null || cursor < scene.shown[0] || cursor > scene.shown[1]) return;
  const px = Math.round(x(cursor)) + 0.5;
  context.strokeStyle = cssColor("--accent");
  context.beginPath();
  context.moveTo(px, box.top);
  context.lineTo(px, box.bottom);
  context.stroke();
  for (const line of scene.lines) {
    if (line.mark === "faint" || line.pale || !speaksAt(line, cursor)) continue;
    const i = nearestIndex(line.columns, cursor);
    const value = line.columns.y[i] ?? NaN;
    if (!Number.isFinite(value) || (scene.logY && value <= 0)) continue;
    context.fillStyle = cssColor(line.color);
    context.beginPath();
    context.arc(x(line.columns.x[i] ?? 0), y(value), 3, 0, 2 * Math.PI);
    context.fill();
  }
}
