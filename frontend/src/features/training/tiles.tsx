// The newest numbers of a run.
import {
  formatBytes,
  formatCount,
  formatLearningRate,
  formatLoss,
  formatNumber,
  formatPerplexity,
  formatStepTime,
} from "@/lib/format";
import { DEFINITIONS } from "./lesson";
import type { StepSeries } from "./step-series";
import { Tile } from "./tile";
import styles from "./tiles.module.css";
import { useSeriesVersion } from "./use-series-version";

const PAST = 60;

export function Tiles({
  series,
  bits,
}: {
  series: StepSeries;
  /** Bits per byte of the evaluations, oldest first; undefined in old recordings. */
  bits: readonly (number | undefined)[];
}) {
  useSeriesVersion(series);
  const loss = series.column("loss");
  const validation = series.column("validation_loss");
  const rate = series.column("learning_rate");
  const norm = series.column("grad_norm");
  const speed = series.column("tokens_per_sec");
  const stepTime = series.column("step_secs");
  const memory = series.column("memory_bytes");
  const [size = "–", unit = ""] = formatBytes(memory.last).split(" ");
  const [time = "–", timeUnit = ""] = formatStepTime(stepTime.last).split(" ");
  return (
    <div className={styles["tiles"]} role="group" aria-label="Newest numbers">
      <Tile
        title="Loss"
        data-testid="tile-loss"
        value={formatLoss(loss.last)}
        unit="nats"
        definition={DEFINITIONS.loss}
        past={loss.tail(PAST)}
      />
      <Tile
        title="Perplexity"
        data-testid="tile-perplexity"
        value={formatPerplexity(loss.last)}
        definition={DEFINITIONS.perplexity}
        past={loss.tail(PAST).map(Math.exp)}
      />
      <Tile
        title="Validation"
        data-testid="tile-validation"
        value={formatLoss(validation.last)}
        unit="nats"
        definition={DEFINITIONS.validation}
        past={validation.tail(PAST)}
        color="--validation"
      />
      <Tile
        title="Bits per byte"
        data-testid="tile-bits-per-byte"
        value={formatLoss(bits.at(-1))}
        definition={DEFINITIONS.bitsPerByte}
        past={bits.slice(-PAST).map((one) => one ?? NaN)}
        color="--validation"
      />
      <Tile
        title="Learning rate"
        data-testid="tile-learning-rate"
        value={formatLearningRate(rate.last)}
        definition={DEFINITIONS.learningRate}
        past={rate.tail(PAST)}
      />
      <Tile
        title="Gradient norm"
        data-testid="tile-grad-norm"
        value={formatNumber(norm.last)}
        definition={DEFINITIONS.gradNorm}
        past={norm.tail(PAST)}
      />
      <Tile
        title="Speed"
        data-testid="tile-speed"
        value={formatCount(speed.last)}
        unit="tok/s"
        definition={DEFINITIONS.speed}
        past={speed.tail(PAST)}
      />
      <Tile
        title="Step time"
        data-testid="tile-step-time"
        value={time}
        unit={timeUnit}
        definition={DEFINITIONS.stepTime}
        past={stepTime.tail(PAST)}
      />
      <Tile
        title="Memory"
        data-testid="tile-memory"
        value={size}
        unit={unit}
        definition={DEFINITIONS.memory}
        past={memory.tail(PAST)}
      />
    </div>
  );
}
