// Numbers as coloured cells on a canvas: rows with their names at the left, columns across the whole width. A second
// canvas shows what is pointed at, so that moving the pointer never repaints the cells. Arrow keys point, Enter picks.
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent } from "react";
import { cssColor } from "@/lib/colors";
import { pixelCanvas, prepareCanvas } from "./canvas";
import { neighbourCell, type GridCell } from "./grid-geometry";
import styles from "./heatmap.module.css";
import { VIRIDIS } from "./palette";
import { useStage } from "./use-stage";

export type { GridCell };

export interface ValueGridProps {
  readonly rows: readonly string[];
  readonly columns: number;
  /** Row by row; NaN is left blank. */
  readonly values: Float32Array;
  /** From a value to its place on the colour scale, 0 to 1. */
  readonly share: (value: number) => number;
  /** Colours from share 0 to 1; viridis unless told. */
  readonly palette?: Uint32Array;
  /** The picture in words. */
  readonly summary: string;
  /** A column that is brought out, such as the playhead's. */
  readonly mark?: number | null;
  readonly chosenRow?: number | null;
  readonly dimmed?: boolean;
  readonly rowPx?: number;
  readonly onHover?: (cell: GridCell | null) => void;
  readonly onPick?: (cell: GridCell) => void;
  readonly "data-testid": string;
}

const ROW_PX = 16;
const NAMES_PX = 84;
const LEAST_NAMED_PX = 11;
const LONGEST_NAME = 12;

export function ValueGrid(props: ValueGridProps) {
  const { rows, columns, values, share, summary, mark = null, chosenRow = null } = props;
  const { dimmed = false, rowPx = ROW_PX, palette = VIRIDIS, onHover, onPick } = props;
  const frame = useRef<HTMLDivElement>(null);
  const cells = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const [hovered, setHovered] = useState<GridCell | null>(null);
  const { width, pixelRatio, theme } = useStage(frame);
  const height = Math.max(1, rows.length * rowPx);
  const picture = useMemo(
    () => pixelsOf(values, { share, palette, columns, rows: rows.length }),
    [values, share, palette, columns, rows.length],
  );

  useEffect(() => {
    const context = cells.current && prepareCanvas(cells.current, { width, height, pixelRatio });
    if (!context || width <= NAMES_PX) return;
    context.imageSmoothingEnabled = false;
    if (picture) context.drawImage(picture, NAMES_PX, 0, width - NAMES_PX, height);
    context.font = `11px ${cssColor("--font-code")}`;
    context.fillStyle = cssColor("--muted");
    context.textAlign = "right";
    context.textBaseline = "middle";
    const every = Math.ceil(LEAST_NAMED_PX / rowPx);
    rows.forEach((name, row) => {
      if (row % every !== 0) return;
      const text = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
      context.fillText(text, NAMES_PX - 6, Math.max(7, (row + 0.5) * rowPx));
    });
  }, [picture, rows, rowPx, width, height, pixelRatio, theme]);

  useEffect(() => {
    const context =
      overlay.current && prepareCanvas(overlay.current, { width, height, pixelRatio });
    if (!context || width <= NAMES_PX) return;
    const cellPx = (width - NAMES_PX) / Math.max(1, columns);
    context.strokeStyle = cssColor("--accent");
    context.lineWidth = 2;
    if (mark !== null) {
      const px = Math.max(3, cellPx);
      context.strokeRect(NAMES_PX + mark * cellPx - (px - cellPx) / 2, 1, px, height - 2);
    }
    if (chosenRow !== null) context.strokeRect(1, chosenRow * rowPx, width - 2, rowPx);
    if (hovered !== null) {
      context.strokeStyle = cssColor("--text");
      context.lineWidth = 1;
      const x = NAMES_PX + hovered.column * cellPx;
      context.strokeRect(x - 0.5, hovered.row * rowPx - 0.5, cellPx + 1, rowPx + 1);
    }
  }, [mark, chosenRow, hovered, columns, rowPx, width, height, pixelRatio, theme]);

  const under = (event: MouseEvent): GridCell | null => {
    const box = event.currentTarget.getBoundingClientRect();
    const across = (event.clientX - box.left - NAMES_PX) / (box.width - NAMES_PX);
    const row = Math.floor((event.clientY - box.top) / rowPx);
    // On a name stands the row itself.
    const column = Math.max(0, Math.floor(across * columns));
    return row < 0 || row >= rows.length || column >= columns ? null : { row, column };
  };
  const hover = (cell: GridCell | null) => {
    if (cell?.row === hovered?.row && cell?.column === hovered?.column) return;
    setHovered(cell);
    onHover?.(cell);
  };
  const byKey = (event: KeyboardEvent) => {
    const next = neighbourCell(hovered, event.key, { rows: rows.length, columns });
    if (next !== null) {
      hover(next);
      revealRow(frame.current, { top: next.row * rowPx, height: rowPx });
    } else if (event.key === "Enter" && hovered !== null && onPick) onPick(hovered);
    else return;
    event.preventDefault();
  };
  return (
    <div ref={frame} className={styles["stage"]} style={{ minHeight: height }}>
      <canvas
        ref={cells}
        className={dimmed ? styles["dimmed"] : styles["picture"]}
        style={{ width, height }}
        aria-hidden="true"
      />
      <canvas
        ref={overlay}
        className={styles["overlay"]}
        style={{ width, height }}
        role="img"
        aria-label={`${summary} Arrow keys move from cell to cell${onPick ? ", Enter picks one" : ""}.`}
        tabIndex={0}
        data-testid={props["data-testid"]}
        data-rows={rows.length}
        data-columns={columns}
        data-mark={mark ?? ""}
        data-at={hovered ? `${hovered.row},${hovered.column}` : ""}
        data-pending={dimmed}
        onPointerMove={(event) => hover(under(event))}
        onPointerLeave={() => hover(null)}
        onClick={(event) => {
          const cell = under(event);
          if (cell !== null) onPick?.(cell);
        }}
        onKeyDown={byKey}
        onBlur={() => hover(null)}
      />
    </div>
  );
}

/** Scrolls the box around a tall grid so far that a row is in it. */
function revealRow(grid: HTMLElement | null, row: { top: number; height: number }): void {
  const box = grid?.parentElement;
  if (!box || box.scrollHeight <= box.clientHeight) return;
  if (row.top < box.scrollTop) box.scrollTop = row.top;
  const over = row.top + row.height - (box.scrollTop + box.clientHeight);
  if (over > 0) box.scrollTop += over;
}

function pixelsOf(
  values: Float32Array,
  {
    share,
    palette,
    columns,
    rows,
  }: {
    share: (value: number) => number;
    palette: Uint32Array;
    columns: number;
    rows: number;
  },
) {
  if (columns === 0 || rows === 0) return null;
  const pixels = new Uint32Array(columns * rows);
  for (let cell = 0; cell < pixels.length; cell += 1) {
    const at = share(values[cell] ?? NaN);
    pixels[cell] = Number.isNaN(at) ? 0 : (palette[Math.round(clamp(at) * 255)] ?? 0);
  }
  return pixelCanvas(pixels, { width: columns, height: rows });
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
