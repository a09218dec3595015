// Predict first: an empty chart to draw the expected loss on. Whoever guessed looks at the outcome with other eyes.
import { line } from "d3-shape";
import { useRef, useState, type PointerEvent } from "react";
import { formatCount, formatLoss } from "@/lib/format";
import { Button } from "@/ui/button";
import { TextInput } from "@/ui/text-input";
import styles from "./loss-sketch.module.css";
import { drawn, EMPTY_SKETCH, PLACES, points, stepOf, type Sketch } from "./sketch";

const WIDTH = 600;
const HEIGHT = 180;
const MOST_LOSS = 12;
const GRID = [2, 4, 6, 8, 10] as const;
const TYPED_PLACES = [0, 4, 10, 20, 40] as const;

const toX = (place: number) => (place / (PLACES - 1)) * WIDTH;
const toY = (loss: number) => HEIGHT * (1 - loss / MOST_LOSS);

export function LossSketch({
  sketch,
  steps,
  vocabulary,
  onChange,
}: {
  sketch: Sketch;
  steps: number;
  vocabulary: number;
  onChange: (sketch: Sketch) => void;
}) {
  const last = useRef<readonly [number, number] | null>(null);
  const at = (event: PointerEvent<SVGSVGElement>): readonly [number, number] => {
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    const inside = (share: number) => Math.min(1, Math.max(0, share));
    return [
      Math.round(inside((event.clientX - left) / width) * (PLACES - 1)),
      inside(1 - (event.clientY - top) / height) * MOST_LOSS,
    ];
  };
  const told = points(sketch);
  const blind = vocabulary > 1 ? Math.log(vocabulary) : undefined;
  return (
    <div className={styles["sketch"]}>
      <div className={styles["labels"]} aria-hidden="true">
        {GRID.map((loss) => (
          <span key={loss} style={{ top: toY(loss) }}>
            {loss}
          </span>
        ))}
      </div>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        className={styles["paper"]}
        role="img"
        aria-label={
          told.length === 0
            ? "Empty chart of the loss you expect"
            : `You expect ${told
                .map(
                  ([place, loss]) =>
                    `${formatLoss(loss)} at step ${formatCount(stepOf(place, steps))}`,
                )
                .slice(-1)
                .join("")}`
        }
        data-testid="loss-sketch"
        data-points={told.length}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          last.current = at(event);
          onChange(drawn(sketch, last.current, last.current));
        }}
        onPointerMove={(event) => {
          if (last.current === null) return;
          const here = at(event);
          onChange(drawn(sketch, last.current, here));
          last.current = here;
        }}
        onPointerUp={() => {
          last.current = null;
        }}
        onPointerCancel={() => {
          last.current = null;
        }}
      >
        {GRID.map((loss) => (
          <path key={loss} className={styles["grid"]} d={`M0 ${toY(loss)}H${WIDTH}`} />
        ))}
        {blind !== undefined && (
          <path className={styles["blind"]} d={`M0 ${toY(blind)}H${WIDTH}`} />
        )}
        <path
          className={styles["curve"]}
          d={line()(told.map(([place, loss]) => [toX(place), toY(loss)])) ?? ""}
        />
      </svg>
      <p className={styles["axis"]}>
        <span>step 1</span>
        {blind !== undefined && (
          <span>
            dashed: ln {formatCount(vocabulary)} = {formatLoss(blind)}, a blind guess
          </span>
        )}
        <span>step {formatCount(steps)}</span>
      </p>
      <div className={styles["typed"]} role="group" aria-label="Or type the loss you expect">
        {TYPED_PLACES.map((place) => (
          <TypedLoss
            key={place}
            step={stepOf(place, Math.max(2, steps))}
            value={sketch[place] ?? null}
            onChange={(loss) => {
              const next = [...sketch];
              next[place] = loss;
              onChange(next);
            }}
          />
        ))}
        <Button onClick={() => onChange(EMPTY_SKETCH)} disabled={told.length === 0}>
          Clear
        </Button>
      </div>
    </div>
  );
}

function TypedLoss({
  step,
  value,
  onChange,
}: {
  step: number;
  value: number | null;
  onChange: (loss: number | null) => void;
}) {
  const [typing, setTyping] = useState<string | null>(null);
  return (
    <label>
      step {formatCount(step)}
      <TextInput
        inputMode="decimal"
        data-testid={`sketch-${step}`}
        value={typing ?? (value === null ? "" : value.toFixed(2))}
        onChange={(event) => {
          const text = event.target.value;
          setTyping(text);
          const loss = Number(text);
          if (text.trim() === "") onChange(null);
          else if (Number.isFinite(loss) && loss >= 0) onChange(Math.min(MOST_LOSS, loss));
        }}
        onBlur={() => setTyping(null)}
      />
    </label>
  );
}
