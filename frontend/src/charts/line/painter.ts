// One chart's canvas: decides when to draw, knows where things were drawn. Outside React, because data is.
import { frames } from "@/lib/frame";
import { onThemeChange } from "@/lib/theme";
import { drawScene, type Line, type Reference, type Scene } from "./draw";
import { clippedExtent } from "./clip";
import { reaching, widened, xExtent, xScale, yExtent, yScale, type Scale } from "./geometry";
import type { Marker } from "./markers";
import { turns } from "./turns";
import type { LinkedWindow, Stretch } from "./window";

export interface LineSource {
  lines(): readonly Line[];
  onChange(listener: () => void): () => void;
}

export interface ChartOptions {
  logY: boolean;
  references: readonly Reference[];
  markers?: readonly Marker[];
  /** Height from the 5th to the 95th percentile of what is in sight. */
  clip?: boolean;
  formatX: (x: number) => string;
  wholeX?: boolean;
  formatY: (y: number) => string;
  formatTickY: (y: number, distance: number) => string;
  tickFactor: number;
  /** The height of a plain axis is at least this. */
  leastSpan?: number;
}

const MARGIN = { left: 60, top: 10, right: 12, bottom: 24 };

export class ChartPainter {
  selection: Stretch | null = null;
  all: Stretch = [0, 1];
  shown: Stretch = [0, 1];
  x: Scale = xScale([0, 1], { left: 0, right: 1, top: 0, bottom: 1 });
  private highest: number | undefined; // of the values in sight
  private width = 0;
  private height = 0;
  private options: ChartOptions | undefined;
  private source: LineSource | undefined;
  private forgetSource: (() => void) | undefined;
  private readonly said = new Map<string, string>();
  private readonly cleanups: (() => void)[];
  private readonly draw = () => this.paint();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    readonly window: LinkedWindow,
  ) {
    this.cleanups = [window.subscribe(() => this.redraw()), onThemeChange(() => this.redraw())];
  }

  update(source: LineSource, options: ChartOptions): void {
    if (source !== this.source) {
      this.forgetSource?.();
      this.forgetSource = source.onChange(() => turns.ask(this.draw));
      this.source = source;
    }
    this.options = options;
    this.redraw();
  }

  resize(width: number, height: number): void {
    this.width = width;
    this.height = height;
    this.redraw();
  }

  redraw(): void {
    frames.draw(this.draw);
  }

  stop(): void {
    frames.forget(this.draw);
    turns.forget(this.draw);
    this.forgetSource?.();
    for (const cleanup of this.cleanups) cleanup();
  }

  lines(): readonly Line[] {
    return this.source?.lines() ?? [];
  }

  get box() {
    return {
      left: MARGIN.left,
      top: MARGIN.top,
      right: Math.max(MARGIN.left + 1, this.width - MARGIN.right),
      bottom: Math.max(MARGIN.top + 1, this.height - MARGIN.bottom),
    };
  }

  private paint(): void {
    turns.forget(this.draw); // it has its newest data with this
    const context = this.canvas.getContext("2d");
    const scene = this.scene();
    if (!context || !scene) return;
    this.fit();
    context.clearRect(0, 0, scene.width, scene.height);
    drawScene(context, scene);
    this.describe(scene.lines);
  }

  /** What is drawn now; undefined before there is a size and something to draw. */
  scene(): Scene | undefined {
    const { options, box, width, height } = this;
    if (!options || width === 0) return undefined;
    const lines = this.lines();
    const looking = this.window.get();
    const { clip = false, markers = [], logY } = options;
    this.all = reaching(xExtent(lines.map((line) => line.columns)), markers) ?? [0, 1];
    this.shown = looking.stretch ?? this.all;
    this.x = xScale(this.shown, box);
    const visible = lines.map((line) => line.columns);
    const extent = clip
      ? clippedExtent(visible, this.shown, logY)
      : yExtent(visible, this.shown, logY);
    const y = yScale(logY ? extent : widened(extent, options.leastSpan ?? 0), box, logY);
    this.highest = extent?.[1];
    return {
      width,
      height,
      box,
      x: this.x,
      y,
      shown: this.shown,
      lines,
      cursor: looking.cursor,
      mark: looking.mark ?? null,
      selection: this.selection,
      ...options,
      clip,
      markers,
    };
  }

  private fit(): void {
    const ratio = globalThis.devicePixelRatio || 1;
    const width = Math.round(this.width * ratio);
    const height = Math.round(this.height * ratio);
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.canvas.getContext("2d")?.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  // What is on the canvas, for tests and tools that cannot see it.
  private describe(lines: readonly Line[]): void {
    const main = lines[0]?.columns;
    const last = main ? main.x[main.length - 1] : undefined;
    const inherited = lines.find((line) => line.inherited)?.columns.length ?? 0;
    this.say("points", main?.length ?? 0);
    this.say("lastStep", last ?? "");
    this.say("inherited", inherited);
    this.say("markers", this.options?.markers?.length ?? 0);
    this.say("from", this.shown[0]);
    this.say("to", this.shown[1]);
    this.say("highest", this.highest ?? "");
  }

  private say(name: string, value: number | string): void {
    const text = String(value);
    if (this.said.get(name) === text) return; // to write an attribute is dearer than to draw a chart's axis
    this.said.set(name, text);
    this.canvas.dataset[name] = text;
  }
}
