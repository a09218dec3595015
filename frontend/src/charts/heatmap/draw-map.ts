// Draws one large map: its cells and labels, and over them what the pointer is at.
import { cssColor } from "@/lib/colors";
import { pixelCanvas } from "./canvas";
import type { Cell, MapLayout } from "./map-geometry";
import { paintMatrix, type IndexMatrix } from "./pixels";

const LABEL_LENGTH = 11;
const LABEL_FONT_PX = 11;

export function drawMap(
  context: CanvasRenderingContext2D,
  { layout, matrix, labels, pixelRatio }: MapPicture,
): void {
  const { left, top, size, tokens } = layout;
  if (tokens === 0) return;
  // One pixel per cell, scaled up without smoothing; fewer when the screen has less than a pixel per cell.
  const side = Math.max(1, Math.min(tokens, Math.round(size * pixelRatio)));
  const pixels = new Uint32Array(side * side);
  paintMatrix(matrix, { pixels, stride: side, x: 0, y: 0, side });
  context.imageSmoothingEnabled = false;
  context.drawImage(pixelCanvas(pixels, { width: side, height: side }), left, top, size, size);
  drawLabels(context, layout, labels);
  drawAxisNames(context, layout);
}

export interface MapPicture {
  readonly layout: MapLayout;
  readonly matrix: IndexMatrix;
  readonly labels: readonly string[];
  readonly pixelRatio: number;
}

function drawLabels(
  context: CanvasRenderingContext2D,
  layout: MapLayout,
  labels: readonly string[],
): void {
  context.fillStyle = cssColor("--muted");
  for (let token = 0; token < layout.tokens; token += layout.labelEvery) {
    drawQueryLabel(context, layout, { token, text: labels[token] ?? "" });
    drawKeyLabel(context, layout, { token, text: labels[token] ?? "" });
  }
}

/** In the empty corner: what goes down and what goes across. */
function drawAxisNames(context: CanvasRenderingContext2D, { left, top }: MapLayout): void {
  context.font = `${LABEL_FONT_PX}px ${cssColor("--font-text")}`;
  context.textAlign = "right";
  context.textBaseline = "alphabetic";
  context.fillText("key →", left - 8, top - 28);
  context.fillText("query ↓", left - 8, top - 8);
}

interface Label {
  readonly token: number;
  readonly text: string;
}

function labelFont(): string {
  return `${LABEL_FONT_PX}px ${cssColor("--font-code")}`;
}

function shortened(text: string): string {
  return text.length > LABEL_LENGTH ? `${text.slice(0, LABEL_LENGTH - 1)}…` : text;
}

function drawQueryLabel(context: CanvasRenderingContext2D, layout: MapLayout, label: Label): void {
  context.font = labelFont();
  context.textAlign = "right";
  context.textBaseline = "middle";
  const y = layout.top + (label.token + 0.5) * layout.cell;
  context.fillText(shortened(label.text), layout.left - 5, y);
}

function drawKeyLabel(context: CanvasRenderingContext2D, layout: MapLayout, label: Label): void {
  context.save();
  context.font = labelFont();
  context.translate(layout.left + (label.token + 0.5) * layout.cell, layout.top - 5);
  context.rotate(-Math.PI / 2);
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(shortened(label.text), 0, 0);
  context.restore();
}

/** The row and column of a cell, framed, with their two labels brought out. */
export function drawPointer(
  context: CanvasRenderingContext2D,
  { layout, labels, cell, locked }: MapPointer,
): void {
  const { left, top, size, cell: side } = layout;
  const x = left + cell.key * side;
  const y = top + cell.query * side;
  context.strokeStyle = cssColor("--accent");
  context.lineWidth = 1;
  // Outside the cells, so that no colour is covered: the row up to its query, the column from its key down.
  context.strokeRect(left - 0.5, y - 0.5, (cell.query + 1) * side + 1, side + 1);
  context.strokeRect(
    x - 0.5,
    y - 0.5 - (cell.query - cell.key) * side,
    side + 1,
    size - cell.key * side + 1,
  );
  context.lineWidth = locked ? 2.5 : 1.5;
  context.strokeStyle = cssColor("--text");
  context.strokeRect(x - 0.5, y - 0.5, side + 1, side + 1);
  highlightLabels(context, { layout, labels, cell, locked });
}

export interface MapPointer {
  readonly layout: MapLayout;
  readonly labels: readonly string[];
  readonly cell: Cell;
  readonly locked: boolean;
}

function highlightLabels(context: CanvasRenderingContext2D, pointer: MapPointer): void {
  const { layout, labels, cell } = pointer;
  const pitch = Math.max(layout.cell, LABEL_FONT_PX + 3);
  const queryY = layout.top + (cell.query + 0.5) * layout.cell - pitch / 2;
  const keyX = layout.left + (cell.key + 0.5) * layout.cell - pitch / 2;
  context.fillStyle = cssColor("--accent-soft");
  context.fillRect(0, queryY, layout.left - 2, pitch);
  context.fillRect(keyX, 0, pitch, layout.top - 2);
  context.fillStyle = cssColor("--accent");
  drawQueryLabel(context, layout, { token: cell.query, text: labels[cell.query] ?? "" });
  drawKeyLabel(context, layout, { token: cell.key, text: labels[cell.key] ?? "" });
}
