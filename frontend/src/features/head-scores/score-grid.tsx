// All heads on one canvas, rows are layers: the colour is the score at the playhead, the line its course over the run.
import { useEffect, useMemo, useRef, useState, type MouseEvent } from "react";
import { prepareCanvas } from "@/charts/heatmap/canvas";
import { cornerOf, headAt, neighbour, type HeadPlace } from "@/charts/heatmap/grid-geometry";
import { diverging } from "@/charts/heatmap/palette";
import { useStage } from "@/charts/heatmap/use-stage";
import { cssColor } from "@/lib/colors";
import { interpolateViridis } from "d3-scale-chromatic";
import { scoreAt, type HeadLabel, type HeadTimeline } from "./head-timeline";
import styles from "./head-scores-panel.module.css";

const GAP = 4;
const CELL_HEIGHT = 34;
const LEFT = 20;
const TOP = 16;

export interface ScoreGridProps {
  readonly timeline: HeadTimeline;
  /** Of the playhead; -1 when everything was recorded later. */
  readonly column: number;
  readonly high: number;
  /** By how much each head's score is more elsewhere: colours then tell that. */
  readonly changes: Float32Array | null;
  /** Those are of other weights, until those wanted have answered. */
  readonly dimmed: boolean;
  readonly labels: readonly (HeadLabel | null)[];
  readonly chosen: HeadPlace | null;
  readonly onHover: (place: HeadPlace | null) => void;
  readonly onChoose: (place: HeadPlace) => void;
}

export function ScoreGrid(props: ScoreGridProps) {
  const { timeline, column, high, changes, dimmed, labels, chosen, onHover, onChoose } = props;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [hovered, setHovered] = useState<HeadPlace | null>(null);
  const { width, pixelRatio, theme } = useStage(frame);
  const { layers, heads, steps, scores } = timeline;
  const layout = useMemo(() => {
    const side = Math.max(12, Math.floor((width - LEFT - 2) / Math.max(1, heads)) - GAP);
    const height = TOP + layers * (CELL_HEIGHT + GAP);
    return { layers, heads, side, gap: GAP, left: LEFT, top: TOP, width, height };
  }, [width, layers, heads]);
  // The geometry of square thumbnails, stretched: rows are lower than columns are wide.
  const flat = (layout.side + GAP) / (CELL_HEIGHT + GAP);
  const place = (event: MouseEvent): HeadPlace | null => {
    const box = event.currentTarget.getBoundingClientRect();
    const y = (event.clientY - box.top - TOP) * flat + TOP;
    return headAt(layout, { x: event.clientX - box.left, y });
  };

  useEffect(() => {
    const context = canvas.current && prepareCanvas(canvas.current, { ...layout, pixelRatio });
    if (!context || width === 0) return;
    context.font = `11px ${cssColor("--font-text")}`;
    context.textBaseline = "middle";
    for (let head = 0; head < layers * heads; head += 1) {
      const at = { layer: Math.floor(head / heads), head: head % heads };
      const { x } = cornerOf(layout, at);
      const y = TOP + at.layer * (CELL_HEIGHT + GAP);
      const score = changes ? (changes[head] ?? NaN) : scoreAt(timeline, head, column);
      const place = changes ? (1 + score / high) / 2 : score / high;
      const share = Math.min(1, Math.max(0, place));
      const paper = changes ? diverging(share) : interpolateViridis(share);
      context.fillStyle = Number.isNaN(score) ? cssColor("--grid") : paper;
      context.fillRect(x, y, layout.side, CELL_HEIGHT);
      const bright = changes ? share > 0.2 && share < 0.8 : share > 0.6;
      const ink = bright ? "#14181d" : "#ffffff";
      drawCourse(context, {
        values: scores.subarray(head * steps.length, (head + 1) * steps.length),
        box: { x, y, width: layout.side },
        high,
        column,
        ink: Number.isNaN(score) ? cssColor("--muted") : ink,
      });
      const label = labels[head];
      context.fillStyle = ink;
      context.textAlign = "left";
      if (label) {
        const name = label.both ? label.name : `${label.name}?`;
        context.fillText(name, x + 3, y + 8, layout.side - 6);
      }
      if (at.layer === 0) {
        context.fillStyle = cssColor("--muted");
        context.textAlign = "center";
        context.fillText(String(at.head), x + layout.side / 2, TOP / 2 - 1);
      }
      if (at.head === 0) {
        context.fillStyle = cssColor("--muted");
        context.textAlign = "right";
        context.fillText(String(at.layer), LEFT - 6, y + CELL_HEIGHT / 2);
      }
      const isChosen = chosen?.layer === at.layer && chosen.head === at.head;
      const isHovered = hovered?.layer === at.layer && hovered.head === at.head;
      if (isChosen || isHovered) {
        context.strokeStyle = cssColor(isChosen ? "--accent" : "--ink-5");
        context.lineWidth = 2;
        context.strokeRect(x - 1, y - 1, layout.side + 2, CELL_HEIGHT + 2);
      }
    }
  }, [
    layout,
    layers,
    heads,
    steps,
    scores,
    timeline,
    column,
    high,
    changes,
    labels,
    chosen,
    hovered,
    width,
    pixelRatio,
    theme,
  ]);

  return (
    <div ref={frame} className={styles["stage"]} style={{ minHeight: layout.height }}>
      <canvas
        ref={canvas}
        className={dimmed ? styles["dimmed"] : undefined}
        style={{ width, height: layout.height }}
        role="img"
        tabIndex={0}
        aria-label={`Scores of ${layers} layers with ${heads} heads each. Arrow keys choose a head.`}
        data-testid="score-grid"
        data-column={column}
        data-step={steps[column] ?? ""}
        data-compared={changes !== null}
        data-pending={dimmed}
        onPointerMove={(event) => {
          const next = place(event);
          if (next?.layer === hovered?.layer && next?.head === hovered?.head) return;
          setHovered(next);
          onHover(next);
        }}
        onPointerLeave={() => {
          setHovered(null);
          onHover(null);
        }}
        onClick={(event) => {
          const next = place(event);
          if (next) onChoose(next);
        }}
        onKeyDown={(event) => {
          const next = neighbour(chosen ?? { layer: 0, head: 0 }, event.key, { layers, heads });
          if (next === null) return;
          event.preventDefault();
          onChoose(next);
        }}
      />
    </div>
  );
}

function drawCourse(
  context: CanvasRenderingContext2D,
  course: {
    values: Float32Array;
    box: { x: number; y: number; width: number };
    high: number;
    column: number;
    ink: string;
  },
): void {
  const { values, box, high, column, ink } = course;
  const px = (index: number) =>
    box.x + 3 + (index / Math.max(1, values.length - 1)) * (box.width - 6);
  const py = (value: number) =>
    box.y + CELL_HEIGHT - 3 - Math.min(1, Math.max(0, value / high)) * (CELL_HEIGHT - 18);
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 1;
  context.beginPath();
  let pen = false;
  values.forEach((value, index) => {
    if (Number.isNaN(value)) pen = false;
    else if (pen) context.lineTo(px(index), py(value));
    else {
      context.moveTo(px(index), py(value));
      pen = true;
    }
  });
  context.stroke();
  const now = values[column] ?? NaN;
  if (!Number.isNaN(now)) context.fillRect(px(column) - 1.5, py(now) - 1.5, 3, 3);
}
