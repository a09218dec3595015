// Draws the thumbnails of all heads, and a frame around the chosen one.
import { cssColor } from "@/lib/colors";
import { pixelCanvas } from "./canvas";
import { cornerOf, type GridLayout, type HeadPlace } from "./grid-geometry";
import { paintMatrix, type IndexMatrix } from "./pixels";

export interface GridPicture {
  readonly layout: GridLayout;
  /** The matrix of a head, or undefined while it is still computed. */
  readonly matrixOf: (place: HeadPlace) => IndexMatrix | undefined;
  readonly pixelRatio: number;
}

export function drawGrid(context: CanvasRenderingContext2D, picture: GridPicture): void {
  const { layout, matrixOf, pixelRatio } = picture;
  const side = Math.max(1, Math.round(layout.side * pixelRatio));
  for (let layer = 0; layer < layout.layers; layer++) {
    for (let head = 0; head < layout.heads; head++) {
      const { x, y } = cornerOf(layout, { layer, head });
      context.fillStyle = cssColor("--grid");
      context.fillRect(x, y, layout.side, layout.side);
      const matrix = matrixOf({ layer, head });
      if (matrix === undefined) continue;
      const pixels = new Uint32Array(side * side);
      paintMatrix(matrix, { pixels, stride: side, x: 0, y: 0, side });
      context.drawImage(
        pixelCanvas(pixels, { width: side, height: side }),
        x,
        y,
        layout.side,
        layout.side,
      );
    }
  }
  drawNumbers(context, layout);
}

function drawNumbers(context: CanvasRenderingContext2D, layout: GridLayout): void {
  context.fillStyle = cssColor("--muted");
  context.font = `11px ${cssColor("--font-text")}`;
  context.textBaseline = "middle";
  context.textAlign = "center";
  for (let head = 0; head < layout.heads; head++) {
    const { x } = cornerOf(layout, { layer: 0, head });
    context.fillText(String(head), x + layout.side / 2, layout.top / 2 - 1);
  }
  context.textAlign = "right";
  for (let layer = 0; layer < layout.layers; layer++) {
    const { y } = cornerOf(layout, { layer, head: 0 });
    context.fillText(String(layer), layout.left - 6, y + layout.side / 2);
  }
}

/** Frames around the chosen heads (one, or a whole layer) and the one under the pointer. */
export function drawFrames(
  context: CanvasRenderingContext2D,
  {
    layout,
    chosen,
    hovered,
  }: { layout: GridLayout; chosen: readonly HeadPlace[]; hovered: HeadPlace | null },
): void {
  if (hovered !== null) {
    context.strokeStyle = cssColor("--ink-5");
    context.lineWidth = 1;
    frame(context, layout, hovered);
  }
  context.strokeStyle = cssColor("--accent");
  context.lineWidth = 2;
  for (const place of chosen) frame(context, layout, place);
}

function frame(context: CanvasRenderingContext2D, layout: GridLayout, place: HeadPlace): void {
  const { x, y } = cornerOf(layout, place);
  context.strokeRect(x - 1, y - 1, layout.side + 2, layout.side + 2);
}
