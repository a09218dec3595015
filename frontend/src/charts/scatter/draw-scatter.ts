// Paints the points of a scatter; each kind has a colour and a shape.
import { cssColor } from "@/lib/colors";
import { toScreen, type Size, type Spot, type View } from "./scatter-geometry";

export const SHAPES = ["●", "■", "▲", "◆", "✕"] as const;
export const KIND_COLORS = ["--run-0", "--run-1", "--run-2", "--run-3", "--run-8"] as const;

const RADIUS_PX = 3;

export interface ScatterPicture {
  readonly points: Float32Array;
  /** Where the points are in what is compared with; a line leads there. */
  readonly others: Float32Array | undefined;
  readonly kinds: Uint8Array;
  readonly view: View;
  readonly size: Size;
  /** Brought out, with their names; all others step back when there are any. */
  readonly named: readonly number[];
  /** The one that is pointed at or held. */
  readonly chosen: number | null;
  readonly label: (index: number) => string;
  readonly box: readonly [Spot, Spot] | null;
}

export function drawScatter(context: CanvasRenderingContext2D, picture: ScatterPicture): void {
  const { points, others, kinds, view, size, named, chosen, label, box } = picture;
  const place = (from: Float32Array, index: number) =>
    toScreen(view, size, { x: from[2 * index] ?? 0, y: from[2 * index + 1] ?? 0 });
  drawCross(context, toScreen(view, size, { x: 0, y: 0 }), size);
  const count = points.length / 2;
  if (others) {
    context.strokeStyle = cssColor("--ink-5");
    context.globalAlpha = 0.5;
    context.beginPath();
    for (let index = 0; index < count; index += 1) {
      const from = place(points, index);
      const to = place(others, index);
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
    }
    context.stroke();
  }
  context.globalAlpha = chosen === null ? 0.75 : 0.3;
  for (let kind = 0; kind < KIND_COLORS.length; kind += 1) {
    context.fillStyle = context.strokeStyle = cssColor(KIND_COLORS[kind] ?? "--run-0");
    for (let index = 0; index < count; index += 1) {
      if (kinds[index] === kind) drawShape(context, kind, place(points, index));
    }
  }
  context.globalAlpha = 1;
  context.font = `12px ${cssColor("--font-code")}`;
  context.textBaseline = "middle";
  for (const index of named) drawNamed(index, false);
  if (chosen !== null) drawNamed(chosen, true);
  if (box) {
    context.strokeStyle = cssColor("--accent");
    context.strokeRect(box[0].x, box[0].y, box[1].x - box[0].x, box[1].y - box[0].y);
  }

  function drawNamed(index: number, strong: boolean): void {
    const spot = place(points, index);
    const kind = kinds[index] ?? 0;
    context.fillStyle = context.strokeStyle = cssColor(KIND_COLORS[kind] ?? "--run-0");
    drawShape(context, kind, spot);
    if (strong) {
      context.strokeStyle = cssColor("--accent");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(spot.x, spot.y, RADIUS_PX + 4, 0, 2 * Math.PI);
      context.stroke();
      context.lineWidth = 1;
    }
    const text = label(index);
    const width = context.measureText(text).width;
    // Names stay within the picture.
    const x = spot.x + 9 + width > size.width ? spot.x - 9 - width : spot.x + 9;
    context.fillStyle = cssColor("--panel");
    context.globalAlpha = 0.8;
    context.fillRect(x - 2, spot.y - 8, width + 4, 16);
    context.globalAlpha = 1;
    context.fillStyle = cssColor(strong ? "--accent" : "--text");
    context.fillText(text, x, spot.y);
  }
}

function drawCross(context: CanvasRenderingContext2D, origin: Spot, size: Size): void {
  context.strokeStyle = cssColor("--grid");
  context.beginPath();
  context.moveTo(0, origin.y);
  context.lineTo(size.width, origin.y);
  context.moveTo(origin.x, 0);
  context.lineTo(origin.x, size.height);
  context.stroke();
}

function drawShape(context: CanvasRenderingContext2D, kind: number, { x, y }: Spot): void {
  const r = RADIUS_PX;
  context.beginPath();
  if (kind === 0) context.arc(x, y, r, 0, 2 * Math.PI);
  else if (kind === 1) context.rect(x - r, y - r, 2 * r, 2 * r);
  else if (kind === 2) {
    context.moveTo(x, y - r - 1);
    context.lineTo(x + r + 1, y + r);
    context.lineTo(x - r - 1, y + r);
    context.closePath();
  } else if (kind === 3) {
    context.moveTo(x, y - r - 1);
    context.lineTo(x + r + 1, y);
    context.lineTo(x, y + r + 1);
    context.lineTo(x - r - 1, y);
    context.closePath();
  } else {
    context.moveTo(x - r, y - r);
    context.lineTo(x + r, y + r);
    context.moveTo(x + r, y - r);
    context.lineTo(x - r, y + r);
    context.stroke();
    return;
  }
  context.fill();
}
