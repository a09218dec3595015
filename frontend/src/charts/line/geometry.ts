// From data and size to scales and pixel paths. Pure; draw.ts puts it on a canvas.
import { scaleLinear, scaleLog, type ScaleContinuousNumeric } from "d3-scale";
import { lowerBound, type Columns } from "./columns";
import type { Stretch } from "./window";

export type Scale = ScaleContinuousNumeric<number, number>;

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface PathSink {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** From the first to the last x of all lines; undefined when there is no point. */
export function xExtent(lines: readonly Columns[]): Stretch | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (const { x, length } of lines) {
    if (length === 0) continue;
    low = Math.min(low, x[0] ?? Infinity);
    high = Math.max(high, x[length - 1] ?? -Infinity);
  }
  return low > high ? undefined : [low, high];
}

/** As far as the marks go too: steps that were no number left no point, only a mark behind the last one. */
export function reaching(
  extent: Stretch | undefined,
  marks: readonly { x: number }[],
): Stretch | undefined {
  const xs = marks.map(({ x }) => x).filter(Number.isFinite);
  return extent && [Math.min(extent[0], ...xs), Math.max(extent[1], ...xs)];
}

/** Smallest and largest drawable y among the points inside the stretch; `positive` for log axes. */
export function yExtent(
  lines: readonly Columns[],
  [from, to]: Stretch,
  positive: boolean,
): Stretch | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (const line of lines) {
    for (let i = lowerBound(line, from); i < line.length && (line.x[i] ?? Infinity) <= to; i += 1) {
      const value = line.y[i] ?? NaN;
      if (!Number.isFinite(value) || (positive && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low > high ? undefined : [low, high];
}

/** Around the same middle, but no less high than that: two noisy points would look like a landslide. */
export function widened(extent: Stretch | undefined, least: number): Stretch | undefined {
  if (!extent || extent[1] - extent[0] >= least) return extent;
  const middle = (extent[0] + extent[1]) / 2;
  return [middle - least / 2, middle + least / 2];
}

export function xScale([from, to]: Stretch, box: Box): Scale {
  return scaleLinear([from, to > from ? to : from + 1], [box.left, box.right]);
}

const HEADROOM = 0.06; // so that extremes do not touch the frame

export function yScale(extent: Stretch | undefined, box: Box, log: boolean): Scale {
  const range = [box.bottom, box.top];
  if (log) {
    const [low, high] = extent ?? [1, 10];
    const pad = high > low ? (high / low) ** HEADROOM : 1.1;
    return scaleLog([low / pad, high * pad], range);
  }
  const [low, high] = extent ?? [0, 1];
  const pad = high > low ? (high - low) * HEADROOM : Math.abs(high) * 0.1 || 1;
  // Quantities that cannot be negative get no room below 0.
  const bottom = low >= 0 ? Math.max(0, low - pad) : low - pad;
  return scaleLinear([bottom, high + pad], range);
}

/**
 * Traces a line. Where many points share a pixel column it goes through the first, the smallest, the largest and the last
 * of them, so that a spike of one step is visible at every zoom. Values that cannot be drawn leave a gap.
 */
export function traceLine(
  line: Columns,
  [from, to]: Stretch,
  x: Scale,
  y: Scale,
  log: boolean,
  path: PathSink,
): void {
  const begin = Math.max(0, lowerBound(line, from) - 1);
  const end = Math.min(line.length, lowerBound(line, to) + 1);
  const bucket = new PixelBucket(path);
  const [atX, perX] = affine(x, false);
  const [atY, perY] = affine(y, log);
  for (let i = begin; i < end; i += 1) {
    const value = line.y[i] ?? NaN;
    if (!Number.isFinite(value) || (log && value <= 0)) bucket.gap();
    else bucket.add(atX + perX * (line.x[i] ?? 0), atY + perY * (log ? Math.log(value) : value));
  }
  bucket.gap();
}

/** A scale as offset and factor of the value (of its logarithm for log scales): a call for each point is what takes time. */
function affine(scale: Scale, log: boolean): [number, number] {
  const [from = 0, to = 1] = log ? scale.domain().map(Math.log) : scale.domain();
  const [start = 0, end = 1] = scale.range();
  const factor = (end - start) / (to - from);
  return [start - factor * from, factor];
}

class PixelBucket {
  private column = NaN;
  private first = 0;
  private low = 0;
  private high = 0;
  private last = 0;
  private lowIsOlder = true;
  private lowX = 0;
  private highX = 0;
  private firstX = 0;
  private lastX = 0;
  private pen = false;

  constructor(private readonly path: PathSink) {}

  add(px: number, py: number): void {
    const column = Math.floor(px);
    if (column !== this.column) {
      this.flush();
      this.column = column;
      this.first = this.low = this.high = this.last = py;
      this.firstX = this.lowX = this.highX = this.lastX = px;
      return;
    }
    if (py < this.low) {
      this.low = py;
      this.lowX = px;
      this.lowIsOlder = false;
    }
    if (py > this.high) {
      this.high = py;
      this.highX = px;
      this.lowIsOlder = true;
    }
    this.last = py;
    this.lastX = px;
  }

  gap(): void {
    this.flush();
    this.column = NaN;
    this.pen = false;
  }

  private flush(): void {
    if (Number.isNaN(this.column)) return;
    if (this.pen) this.path.lineTo(this.firstX, this.first);
    else this.path.moveTo(this.firstX, this.first);
    this.pen = true;
    const low = () => this.path.lineTo(this.lowX, this.low);
    const high = () => this.path.lineTo(this.highX, this.high);
    if (this.low < Math.min(this.first, this.last) || this.high > Math.max(this.first, this.last)) {
      if (this.lowIsOlder) {
        low();
        high();
      } else {
        high();
        low();
      }
    }
    // Of a lone point among gaps some renderers leave a dot, others nothing.
    this.path.lineTo(this.lastX, this.last);
  }
}

export interface OddValue {
  px: number;
  kind: "NaN" | "+Inf" | "-Inf" | "not above 0";
}

const MOST_ODD_VALUES = 200; // more marks than this are one band of ink

/** The values in sight that cannot be drawn as a height, for marks on the axis. */
export function oddValues(line: Columns, [from, to]: Stretch, x: Scale, log: boolean): OddValue[] {
  const found: OddValue[] = [];
  for (let i = lowerBound(line, from); i < line.length && (line.x[i] ?? Infinity) <= to; i += 1) {
    const value = line.y[i] ?? NaN;
    const px = x(line.x[i] ?? 0);
    if (Number.isNaN(value)) found.push({ px, kind: "NaN" });
    else if (value === Infinity) found.push({ px, kind: "+Inf" });
    else if (value === -Infinity) found.push({ px, kind: "-Inf" });
    else if (log && value <= 0) found.push({ px, kind: "not above 0" });
    if (found.length >= MOST_ODD_VALUES) break;
  }
  return found;
}

/** Ticks of a log axis thinned to what fits: 1-2-5 where all would crowd. */
export function yTicks(scale: Scale, log: boolean, most: number): number[] {
  const ticks = scale.ticks(most);
  if (!log || ticks.length <= most * 1.6) return ticks;
  return ticks.filter((tick) => ["1", "2", "5"].includes(tick.toExponential()[0] ?? ""));
}
