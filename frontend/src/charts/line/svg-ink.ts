// Draws a chart as SVG text: the calls that draw.ts makes of a canvas, written down instead of painted.
import type { Ink } from "./ink";

const ANCHORS: Record<CanvasTextAlign, string> = {
  center: "middle",
  left: "start",
  start: "start",
  right: "end",
  end: "end",
};
const SHIFTS_EM: Record<CanvasTextBaseline, number> = {
  alphabetic: 0,
  ideographic: 0,
  bottom: -0.2,
  middle: 0.35,
  top: 0.8,
  hanging: 0.8,
};

export class SvgInk implements Ink {
  fillStyle: string | CanvasGradient | CanvasPattern = "#000";
  strokeStyle: string | CanvasGradient | CanvasPattern = "#000";
  font = "11px sans-serif";
  globalAlpha = 1;
  lineCap: CanvasLineCap = "butt";
  lineJoin: CanvasLineJoin = "miter";
  lineWidth = 1;
  textAlign: CanvasTextAlign = "start";
  textBaseline: CanvasTextBaseline = "alphabetic";
  private readonly body: string[] = [];
  private path: string[] = [];
  private dash: number[] = [];
  private clips = 0;
  private readonly open: number[] = [];

  constructor(
    private readonly width: number,
    private readonly height: number,
    private readonly measure: (text: string, font: string) => TextMetrics,
  ) {}

  text(): string {
    const { width, height, body } = this;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">\n${body.join("\n")}\n</svg>\n`;
  }

  save(): void {
    this.open.push(0);
  }

  restore(): void {
    for (let groups = this.open.pop() ?? 0; groups > 0; groups -= 1) this.body.push("</g>");
  }

  clip(): void {
    this.clips += 1;
    const id = `clip-${this.clips}`;
    this.body.push(
      `<clipPath id="${id}"><path d="${this.path.join("")}"/></clipPath>`,
      `<g clip-path="url(#${id})">`,
    );
    this.open.push((this.open.pop() ?? 0) + 1);
  }

  beginPath(): void {
    this.path = [];
  }

  moveTo(x: number, y: number): void {
    this.path.push(`M${short(x)} ${short(y)}`);
  }

  lineTo(x: number, y: number): void {
    this.path.push(`L${short(x)} ${short(y)}`);
  }

  closePath(): void {
    this.path.push("Z");
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.path.push(`M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}Z`);
  }

  /** Whole circles only, which is all that charts draw. */
  arc(x: number, y: number, radius: number): void {
    const r = short(radius);
    const across = short(2 * radius);
    this.path.push(
      `M${short(x - radius)} ${short(y)}a${r} ${r} 0 1 0 ${across} 0a${r} ${r} 0 1 0 -${across} 0Z`,
    );
  }

  stroke(): void {
    const dash = this.dash.length > 0 ? ` stroke-dasharray="${this.dash.join(" ")}"` : "";
    this.body.push(
      `<path d="${this.path.join("")}" fill="none" stroke="${color(this.strokeStyle)}" stroke-width="${this.lineWidth}" stroke-linecap="${this.lineCap}" stroke-linejoin="${this.lineJoin}"${dash}${this.opacity()}/>`,
    );
  }

  fill(): void {
    this.body.push(
      `<path d="${this.path.join("")}" fill="${color(this.fillStyle)}"${this.opacity()}/>`,
    );
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.body.push(
      `<rect x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}" fill="${color(this.fillStyle)}"${this.opacity()}/>`,
    );
  }

  /** Paper starts clean. */
  clearRect(): void {
    this.body.length = 0;
  }

  fillText(text: string, x: number, y: number): void {
    const size = parseFloat(/(\d+)px/.exec(this.font)?.[1] ?? "11");
    const weight = /^\s*(bold|[1-9]00)\b/.exec(this.font)?.[1];
    const dy = y + SHIFTS_EM[this.textBaseline] * size;
    this.body.push(
      `<text x="${short(x)}" y="${short(dy)}" font-family="system-ui, sans-serif" font-size="${size}"${weight ? ` font-weight="${weight}"` : ""} text-anchor="${ANCHORS[this.textAlign]}" fill="${color(this.fillStyle)}"${this.opacity()}>${escaped(text)}</text>`,
    );
  }

  measureText(text: string): TextMetrics {
    return this.measure(text, this.font);
  }

  setLineDash(segments: Iterable<number>): void {
    this.dash = [...segments];
  }

  private opacity(): string {
    return this.globalAlpha === 1 ? "" : ` opacity="${this.globalAlpha}"`;
  }
}

function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function color(style: string | CanvasGradient | CanvasPattern): string {
  if (typeof style !== "string") throw new Error("charts are drawn in plain colours");
  return escaped(style);
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
