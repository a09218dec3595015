// How far a run got: bar, step, epoch, time gone and time to go. Step and time come from the newest measured step.
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import { formatCount, formatDuration } from "@/lib/format";
import { Explained } from "@/ui/explained";
import styles from "./run-progress.module.css";

const UNDER_WAY = new Set([RunState.STARTING, RunState.RUNNING, RunState.PAUSING, RunState.PAUSED]);

export function RunProgress({
  run,
  step,
  elapsedSecs,
  secsPerStep,
}: {
  run: Run;
  step: number;
  elapsedSecs: number;
  /** Of late; undefined while too few steps were made to tell. */
  secsPerStep: number | undefined;
}) {
  const { stats, spec } = run;
  const total = stats?.totalSteps ?? 0;
  const share = total > 0 ? Math.min(1, step / total) : 0;
  const batch = spec?.budget?.batch ?? 0;
  const sequences = stats?.epochSequences ?? 0;
  const epochs = (steps: number) =>
    sequences > 0 ? ((steps * batch) / sequences).toFixed(1) : "–";
  // Own arithmetic rather than the server's estimate, which is as old as the run's last change of state.
  const remainingSecs =
    secsPerStep === undefined ? undefined : secsPerStep * Math.max(0, total - step);
  const moving = UNDER_WAY.has(run.state);
  return (
    <div className={styles["progress"]}>
      <span>
        <Explained as="Optimizer steps made, of all that are planned.">step</Explained>{" "}
        <strong data-testid="run-step" data-step={step}>
          {formatCount(step)}
        </strong>{" "}
        / <span data-testid="run-total-steps">{formatCount(total)}</span>
      </span>
      <progress
        className={styles["bar"]}
        value={share}
        max={1}
        aria-label={`Step ${step} of ${total}`}
      />
      <span data-testid="run-epoch">
        <Explained as="Passes over the training text: steps × sequences per step ÷ sequences of the text. From the second on it reads what it has seen before.">
          epoch
        </Explained>{" "}
        {epochs(step)} / {epochs(total)}
      </span>
      <span className={styles["time"]} data-testid="run-time">
        {formatDuration(elapsedSecs)}{" "}
        <Explained as="Time spent training, pauses left out. What is to go is the steps left × the seconds that the last 100 steps took on average, evaluations and samples included.">
          gone
        </Explained>
        {moving && remainingSecs !== undefined && `, about ${formatDuration(remainingSecs)} to go`}
      </span>
    </div>
  );
}
