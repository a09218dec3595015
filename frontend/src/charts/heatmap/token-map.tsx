// One large query × key map on canvas: query down, key across, origin top left. A second canvas on top shows what the
// pointer is at, so that moving it never repaints the cells.
import { useEffect, useMemo, useRef, type MouseEvent } from "react";
import { prepareCanvas } from "./canvas";
import { drawMap, drawPointer } from "./draw-map";
import styles from "./heatmap.module.css";
import { cellAt, labelAt, layoutMap, type Cell } from "./map-geometry";
import type { IndexMatrix } from "./pixels";
import { useStage } from "./use-stage";

export function TokenMap({
  matrix,
  labels,
  cell,
  locked,
  dimmed,
  summary,
  onHover,
  onPick,
  onKey,
}: {
  matrix: IndexMatrix;
  labels: readonly string[];
  /** The cell that is brought out. */
  cell: Cell | null;
  locked: boolean;
  /** What is shown answers an older question. */
  dimmed: boolean;
  /** The picture in words. */
  summary: string;
  onHover: (cell: Cell | null) => void;
  onPick: (cell: Cell) => void;
  /** Returns whether the key meant something. */
  onKey: (key: string) => boolean;
}) {
  const container = useRef<HTMLDivElement>(null);
  const picture = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const { width, pixelRatio, theme } = useStage(container);
  const layout = useMemo(
    () => layoutMap(matrix.tokens, { width, pixelRatio }),
    [matrix.tokens, width, pixelRatio],
  );

  useEffect(() => {
    const canvas = picture.current;
    if (canvas === null || width === 0) return;
    const context = prepareCanvas(canvas, { ...layout, pixelRatio });
    if (context) drawMap(context, { layout, matrix, labels, pixelRatio });
  }, [layout, matrix, labels, pixelRatio, width, theme]);

  useEffect(() => {
    const canvas = overlay.current;
    if (canvas === null || width === 0) return;
    const context = prepareCanvas(canvas, { ...layout, pixelRatio });
    if (context && cell !== null && cell.query < layout.tokens) {
      drawPointer(context, { layout, labels, cell, locked });
    }
  }, [layout, labels, cell, locked, pixelRatio, width, theme]);

  const cellUnder = (event: MouseEvent): Cell | null => {
    const box = event.currentTarget.getBoundingClientRect();
    const point = { x: event.clientX - box.left, y: event.clientY - box.top };
    const label = labelAt(layout, point);
    // On a label stands the token itself: its row and its column meet on the diagonal.
    return label === null ? cellAt(layout, point) : { query: label.token, key: label.token };
  };

  return (
    <div ref={container} className={styles["stage"]} style={{ minHeight: layout.height }}>
      <canvas
        ref={picture}
        className={dimmed ? styles["dimmed"] : styles["picture"]}
        style={{ width: layout.width, height: layout.height }}
        aria-hidden="true"
      />
      <canvas
        ref={overlay}
        className={styles["overlay"]}
        style={{ width: layout.width, height: layout.height }}
        role="img"
        aria-label={summary}
        tabIndex={0}
        data-testid="attention-map"
        data-tokens={matrix.tokens}
        data-pending={dimmed}
        data-locked={locked}
        onPointerMove={(event) => onHover(cellUnder(event))}
        onPointerLeave={() => onHover(null)}
        onClick={(event) => {
          const picked = cellUnder(event);
          if (picked !== null) onPick(picked);
        }}
        onKeyDown={(event) => {
          if (onKey(event.key)) event.preventDefault();
        }}
      />
    </div>
  );
}
