// Layer × time on a canvas: one row a tensor, one column a recorded step. A click picks a row; its curve is drawn below.
import { useEffect, useMemo, useRef, useState } from "react";
import { pixelCanvas, prepareCanvas } from "@/charts/heatmap/canvas";
import { useStage } from "@/charts/heatmap/use-stage";
import { cssColor } from "@/lib/colors";
import { formatCount } from "@/lib/format";
import { shortName, type HealthGrid } from "./health-grid";
import styles from "./health-map.module.css";
import { pixelOf, pixelTable, type HealthScale } from "./health-scale";

const LEAST_ROW_PX = 5;
const MOST_ROW_PX = 18;
const WISHED_PX = 320;
const LEAST_NAMED_PX = 11; // names closer than this run into each other
const NAME_SHARE = 0.14; // of the width goes to the names of the rows
const MOST_NAME_PX = 132;
const CHARACTER_PX = 6.7;

export function HealthMap({
  grid,
  order,
  scale,
  chosen,
  format,
  onChoose,
}: {
  grid: HealthGrid;
  order: readonly number[];
  scale: HealthScale;
  chosen: number | null;
  format: (value: number) => string;
  onChoose: (row: number) => void;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, pixelRatio, theme } = useStage(frame);
  const [at, setAt] = useState<{ row: number; column: number } | null>(null);
  const columns = grid.steps.length;
  const rowPx = Math.min(MOST_ROW_PX, Math.max(LEAST_ROW_PX, WISHED_PX / (order.length || 1)));
  const height = Math.max(1, Math.round(rowPx * order.length));
  const left = Math.round(Math.min(MOST_NAME_PX, width * NAME_SHARE));
  const picture = useMemo(() => paint(grid, order, scale), [grid, order, scale]);

  useEffect(() => {
    if (!canvas.current || width === 0) return;
    const context = prepareCanvas(canvas.current, { width, height, pixelRatio });
    if (!context) return;
    context.imageSmoothingEnabled = false;
    if (picture) context.drawImage(picture, left, 0, width - left, height);
    context.font = `11px ${cssColor("--font-code")}`;
    context.fillStyle = cssColor("--muted");
    context.textAlign = "right";
    context.textBaseline = "middle";
    const every = Math.ceil(LEAST_NAMED_PX / rowPx);
    const characters = Math.floor((left - 6) / CHARACTER_PX);
    for (let line = 0; line < order.length; line += every) {
      const name = shortName(grid.rows[order[line] ?? 0] ?? "");
      const text = name.length > characters ? `${name.slice(0, characters - 1)}…` : name;
      context.fillText(text, left - 6, Math.max(6, (line + 0.5) * rowPx));
    }
    const cell = (width - left) / columns;
    context.strokeStyle = cssColor("--failed");
    context.lineWidth = 1.5;
    order.forEach((row, line) => {
      const step = grid.firstAnomaly[row] ?? 0;
      const column = step > 0 ? grid.steps.findIndex((one) => one >= step) : -1;
      if (column < 0) return;
      context.strokeRect(left + column * cell, line * rowPx + 0.5, Math.max(3, cell), rowPx - 1);
    });
    const line = chosen === null ? -1 : order.indexOf(chosen);
    if (line >= 0) {
      context.strokeStyle = cssColor("--accent");
      context.strokeRect(0.5, line * rowPx + 0.5, width - 1, rowPx - 1);
    }
  }, [picture, grid, order, chosen, width, left, height, rowPx, columns, pixelRatio, theme]);

  const find = (event: { clientX: number; clientY: number }) => {
    const box = frame.current?.getBoundingClientRect();
    if (!box || columns === 0) return null;
    const row = order[Math.floor((event.clientY - box.top) / rowPx)];
    const across = (event.clientX - box.left - left) / (box.width - left);
    const column = Math.max(0, Math.floor(across * columns)); // on a name stands the row itself
    return row === undefined || column >= columns ? null : { row, column };
  };
  const value = at ? (grid.values[at.row * columns + at.column] ?? NaN) : NaN;
  return (
    <>
      <div
        ref={frame}
        className={styles["map"]}
        style={{ height }}
        onPointerMove={(event) => setAt(find(event))}
        onPointerLeave={() => setAt(null)}
        onClick={(event) => {
          const found = find(event);
          if (found) onChoose(found.row);
        }}
      >
        <canvas
          ref={canvas}
          aria-hidden="true"
          data-testid="health-map"
          data-rows={order.length}
          data-columns={columns}
        />
      </div>
      <p className={styles["readout"]} aria-hidden="true">
        {at
          ? `${shortName(grid.rows[at.row] ?? "")} · step ${formatCount(grid.steps[at.column])} · ${format(value)}`
          : `${formatCount(order.length)} rows, steps ${formatCount(grid.steps[0])} to ${formatCount(grid.steps.at(-1))}`}
      </p>
    </>
  );
}

function paint(grid: HealthGrid, order: readonly number[], scale: HealthScale) {
  const columns = grid.steps.length;
  if (columns === 0 || order.length === 0) return null;
  const table = pixelTable(scale);
  const pixels = new Uint32Array(columns * order.length);
  order.forEach((row, line) => {
    for (let column = 0; column < columns; column += 1) {
      const value = grid.values[row * columns + column] ?? NaN;
      pixels[line * columns + column] = pixelOf(table, scale.share(value));
    }
  });
  return pixelCanvas(pixels, { width: columns, height: order.length });
}
