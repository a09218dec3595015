// Points on a canvas. Hover previews, a click holds, dragging a box zooms, a double click shows all again; arrow keys walk
// from point to point. When the points move they are seen to move, unless the reader asked for less motion.
import {
  useEffect,
  useEffectEvent,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
} from "react";
import { frames } from "@/lib/frame";
import { prepareCanvas } from "../heatmap/canvas";
import { useStage } from "../heatmap/use-stage";
import { drawScatter } from "./draw-scatter";
import {
  between,
  fitted,
  nearestPoint,
  pointTowards,
  toPoint,
  zoomed,
  type Spot,
  type View,
} from "./scatter-geometry";
import styles from "./scatter.module.css";

const MOVE_MS = 450;
const REACH_PX = 14;

export interface ScatterProps {
  /** x, y, x, y, ... */
  readonly points: Float32Array;
  readonly others?: Float32Array | undefined;
  readonly kinds: Uint8Array;
  /** How far from the origin the picture reaches. */
  readonly extent: Spot;
  readonly height: number;
  readonly named: readonly number[];
  readonly chosen: number | null;
  readonly locked: boolean;
  readonly dimmed: boolean;
  readonly label: (index: number) => string;
  readonly summary: string;
  readonly onHover: (index: number | null) => void;
  readonly onLock: (index: number | null) => void;
  readonly "data-testid": string;
}

export function Scatter(props: ScatterProps) {
  const { points, others, kinds, extent, height, named, chosen, locked, label } = props;
  const { onHover, onLock } = props;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  /** Where the points are drawn at the moment, which is on their way while they move. */
  const drawn = useRef<Float32Array | null>(null);
  const { width, pixelRatio, theme } = useStage(frame);
  const size = { width, height };
  const [zoom, setZoom] = useState<View | null>(null);
  const [drag, setDrag] = useState<readonly [Spot, Spot] | null>(null);
  const view = zoom ?? fitted(extent, size);

  const paint = useEffectEvent(() => {
    const context = canvas.current && prepareCanvas(canvas.current, { ...size, pixelRatio });
    if (!context || width === 0) return;
    const shown = drawn.current ?? points;
    drawScatter(context, {
      ...{ points: shown, others, kinds, view, size, named, chosen, label },
      box: drag,
    });
  });
  useEffect(() => {
    const from = drawn.current;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (from?.length !== points.length || still) {
      drawn.current = points;
      paint();
      return;
    }
    const began = performance.now();
    const move = () => {
      const share = Math.min(1, (performance.now() - began) / MOVE_MS);
      drawn.current = share < 1 ? between(from, points, share * (2 - share)) : points;
      paint();
      if (share < 1) frames.draw(move);
    };
    frames.draw(move);
    return () => frames.forget(move);
  }, [points]);
  useEffect(() => {
    const draw = () => paint();
    frames.draw(draw);
    return () => frames.forget(draw);
  }, [others, kinds, extent, named, chosen, label, zoom, drag, width, height, pixelRatio, theme]);

  const spotOf = (event: { currentTarget: Element; clientX: number; clientY: number }): Spot => {
    const box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const under = (spot: Spot) =>
    nearestPoint(points, toPoint(view, size, spot), { within: REACH_PX / view.scale });
  const move = (event: PointerEvent) => {
    const spot = spotOf(event);
    if (drag) setDrag([drag[0], spot]);
    else onHover(under(spot));
  };
  const release = (event: PointerEvent) => {
    if (drag === null) return;
    const box = [drag[0], spotOf(event)] as const;
    setDrag(null);
    const next = zoomed(view, size, box);
    if (next !== view) setZoom(next);
    else {
      const point = under(box[1]);
      onLock(locked && point === chosen ? null : point);
    }
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      if (locked) onLock(null);
      else if (zoom) setZoom(null);
      else return;
      event.preventDefault();
      return;
    }
    const next = event.key.startsWith("Arrow")
      ? chosen === null
        ? nearestPoint(points, view, { within: Infinity })
        : pointTowards(points, chosen, event.key)
      : null;
    if (next === null) return;
    event.preventDefault();
    onLock(next);
  };
  return (
    <div ref={frame} className={styles["stage"]} style={{ height }}>
      <canvas
        ref={canvas}
        className={props.dimmed ? styles["dimmed"] : styles["canvas"]}
        style={{ width, height }}
        role="img"
        tabIndex={0}
        aria-label={props.summary}
        data-testid={props["data-testid"]}
        data-points={points.length / 2}
        data-chosen={chosen ?? ""}
        data-zoomed={zoom !== null || undefined}
        onPointerDown={(event) => {
          if (event.button !== 0 || event.pointerType === "touch") return;
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag([spotOf(event), spotOf(event)]);
        }}
        onPointerMove={move}
        onPointerUp={release}
        onPointerCancel={() => setDrag(null)}
        onPointerLeave={() => onHover(null)}
        onClick={(event) => {
          // A finger scrolls the page and taps a point; it draws no boxes.
          const touch = (event.nativeEvent as globalThis.PointerEvent).pointerType === "touch";
          if (touch) onLock(under(spotOf(event)));
        }}
        onDoubleClick={() => setZoom(null)}
        onKeyDown={onKey}
      />
    </div>
  );
}
