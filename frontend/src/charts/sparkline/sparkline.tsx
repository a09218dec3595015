// The newest values as a small line without axes. Decoration beside a number, so hidden from assistive technology.
import { line } from "d3-shape";

const WIDTH = 100;
const HEIGHT = 20;

export function Sparkline({ values, color }: { values: readonly number[]; color: `--${string}` }) {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low || 1;
  const step = WIDTH / Math.max(1, values.length - 1);
  const path = line<number>()
    .defined(Number.isFinite)
    .x((_, i) => i * step)
    .y((value) => HEIGHT - 2 - ((value - low) / span) * (HEIGHT - 4))(values);
  return (
    <svg
      width="100%"
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      style={{ display: "block" }}
    >
      <path
        d={finite.length > 1 ? (path ?? "") : ""}
        fill="none"
        stroke={`var(${color})`}
        strokeWidth="1.25"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}
