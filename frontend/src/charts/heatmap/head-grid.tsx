// Thumbnails of all heads on one canvas: rows are layers, columns are heads. Click or arrow keys choose one.
import { useEffect, useMemo, useRef, useState, type MouseEvent } from "react";
import { prepareCanvas } from "./canvas";
import { drawFrames, drawGrid } from "./draw-grid";
import { headAt, layoutGrid, type HeadPlace } from "./grid-geometry";
import styles from "./heatmap.module.css";
import type { IndexMatrix } from "./pixels";
import { useStage } from "./use-stage";

export function HeadGrid({
  layers,
  heads,
  matrixOf,
  chosen,
  dimmed,
  onHover,
  onChoose,
  onKey,
}: {
  layers: number;
  heads: number;
  matrixOf: (place: HeadPlace) => IndexMatrix | undefined;
  /** One head, or all heads of a layer when their mean is shown. */
  chosen: readonly HeadPlace[];
  dimmed: boolean;
  /** For a preview of the head under the pointer. */
  onHover: (place: HeadPlace | null) => void;
  onChoose: (place: HeadPlace) => void;
  onKey: (key: string) => boolean;
}) {
  const container = useRef<HTMLDivElement>(null);
  const picture = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const [hovered, setHovered] = useState<HeadPlace | null>(null);
  const { width, pixelRatio, theme } = useStage(container);
  const layout = useMemo(() => layoutGrid(layers, heads, { width }), [layers, heads, width]);

  useEffect(() => {
    const canvas = picture.current;
    if (canvas === null || width === 0) return;
    const context = prepareCanvas(canvas, { ...layout, pixelRatio });
    if (context) drawGrid(context, { layout, matrixOf, pixelRatio });
  }, [layout, matrixOf, pixelRatio, width, theme]);

  useEffect(() => {
    const canvas = overlay.current;
    if (canvas === null || width === 0) return;
    const context = prepareCanvas(canvas, { ...layout, pixelRatio });
    if (context) drawFrames(context, { layout, chosen, hovered });
  }, [layout, chosen, hovered, pixelRatio, width, theme]);

  const headUnder = (event: MouseEvent): HeadPlace | null => {
    const box = event.currentTarget.getBoundingClientRect();
    return headAt(layout, { x: event.clientX - box.left, y: event.clientY - box.top });
  };

  const named = chosen.map(({ layer, head }) => `${layer}.${head}`).join(", ");
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
        aria-label={`Attention of ${layers} layers with ${heads} heads each. Chosen: ${named}. Arrow keys choose another.`}
        title={hovered === null ? undefined : `head ${hovered.layer}.${hovered.head}`}
        tabIndex={0}
        data-testid="attention-thumbnails"
        data-layers={layers}
        data-heads={heads}
        data-pending={dimmed}
        onPointerMove={(event) => {
          const place = headUnder(event);
          if (place?.layer === hovered?.layer && place?.head === hovered?.head) return;
          setHovered(place);
          onHover(place);
        }}
        onPointerLeave={() => {
          setHovered(null);
          onHover(null);
        }}
        onClick={(event) => {
          const place = headUnder(event);
          if (place !== null) onChoose(place);
        }}
        onKeyDown={(event) => {
          if (onKey(event.key)) event.preventDefault();
        }}
      />
    </div>
  );
}
