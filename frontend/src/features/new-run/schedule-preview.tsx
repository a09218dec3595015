// The curve the learning rate will follow.
import { line } from "d3-shape";
import type { RunSpec } from "@/gen/lab/v1/run_spec_pb";
import { formatCount, formatLearningRate } from "@/lib/format";
import { learningRate } from "@/api/schedule";
import styles from "./schedule-preview.module.css";

const WIDTH = 320;
const HEIGHT = 84;
const POINTS = 160;

export function SchedulePreview({ spec }: { spec: RunSpec | undefined }) {
  const steps = spec?.budget?.steps ?? 0;
  const peak = spec?.optimizer?.learningRate ?? 0;
  const end = spec && steps > 0 ? learningRate(spec, steps) : undefined;
  const points: [number, number][] = [];
  if (spec && steps > 0 && peak > 0) {
    for (let i = 0; i <= POINTS; i += 1) {
      const step = 1 + ((steps - 1) * i) / POINTS;
      points.push([
        ((step - 1) / Math.max(1, steps - 1)) * WIDTH,
        HEIGHT - 4 - (learningRate(spec, step) / peak) * (HEIGHT - 8),
      ]);
    }
  }
  const said =
    points.length === 0
      ? "The schedule appears when the form is complete."
      : `Learning rate: warm-up over ${formatCount(spec?.schedule?.warmupSteps)} steps to ${formatLearningRate(peak)}, ${formatLearningRate(end)} at step ${formatCount(steps)}.`;
  return (
    <figure className={styles["preview"]} data-testid="schedule-preview">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        width="100%"
        height={HEIGHT}
        preserveAspectRatio="none"
        role="img"
        aria-label={said}
      >
        <path
          className={styles["floor"]}
          d={`M0 ${HEIGHT - 4}H${WIDTH}`}
          vectorEffect="non-scaling-stroke"
        />
        <path
          className={styles["curve"]}
          d={line()(points) ?? ""}
          vectorEffect="non-scaling-stroke"
        />
      </svg>
      <figcaption>{said}</figcaption>
    </figure>
  );
}
