// Chooses whose weights to look into, and says which step they are from.
import type { ReactNode } from "react";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import type { Run } from "@/gen/lab/v1/run_pb";
import { formatCount } from "@/lib/format";
import { IMPORTS } from "@/lib/imports";
import { Button } from "@/ui/button";
import { Select, type SelectOption } from "@/ui/select";
import { Tooltip } from "@/ui/tooltip";
import { idOf, type ModelSource } from "./model-source";
import styles from "./source-picker.module.css";

const NEWEST = "";

export function SourcePicker({
  runs,
  runId,
  checkpoints,
  checkpoint,
  source,
  model,
  looking,
  follow,
  onRun,
  onCheckpoint,
  onLookAgain,
  onFollow,
  state,
}: {
  runs: readonly Run[];
  /** May be the id of a run that is deleted and whose checkpoints stayed, or IMPORTS. */
  runId: string;
  /** Of this run, newest first. */
  checkpoints: readonly Checkpoint[];
  checkpoint: string | null;
  /** A record at which the playhead stands has no model. */
  source: ModelSource;
  model: LoadedModel | undefined;
  looking: boolean;
  follow: boolean;
  onRun: (id: string) => void;
  onCheckpoint: (id: string | null) => void;
  onLookAgain: () => void;
  onFollow: (follow: boolean) => void;
  /** The state badge of the run. */
  state: ReactNode;
}) {
  const imported = runId === IMPORTS;
  return (
    <div className={styles["bar"]}>
      <label className={styles["choice"]}>
        <span>run</span>
        <Select
          value={runId}
          onChange={(event) => onRun(event.target.value)}
          options={runOptions(runs, runId)}
          data-testid="inside-run"
        />
      </label>
      {state}
      <label className={styles["choice"]}>
        <span>weights</span>
        <Select
          value={checkpoint ?? NEWEST}
          onChange={(event) => onCheckpoint(event.target.value || null)}
          options={[
            {
              value: NEWEST,
              label: imported ? "newest import" : newestLabel(source, checkpoint),
            },
            ...checkpoints.map((one) => ({
              value: idOf(one.name),
              label: imported ? idOf(one.name) : `checkpoint at step ${formatCount(one.step)}`,
            })),
          ]}
          data-testid="inside-checkpoint"
        />
      </label>
      <span className={styles["step"]} aria-live="polite">
        {model === undefined ? (
          <span className={styles["quiet"]}>{missingLabel(source, looking)}</span>
        ) : (
          <>
            weights from{" "}
            <strong data-testid="inside-step" data-step={model.step}>
              step {formatCount(model.step)}
            </strong>
          </>
        )}
      </span>
      {source.kind === "live" && (
        <span className={styles["live"]}>
          <Button
            busy={looking}
            disabled={!source.ready}
            onClick={onLookAgain}
            data-testid="look-again"
          >
            Look again
          </Button>
          <Tooltip text="Takes the run's weights anew every five seconds. Training waits for a moment each time.">
            <Button
              aria-pressed={follow}
              onClick={() => onFollow(!follow)}
              data-testid="inside-follow"
            >
              Follow
            </Button>
          </Tooltip>
        </span>
      )}
    </div>
  );
}

function runOptions(runs: readonly Run[], runId: string): SelectOption[] {
  const options = runs.map((one) => ({
    value: idOf(one.name),
    label: one.displayName || idOf(one.name),
  }));
  const listed = options.some((option) => option.value === runId);
  if (listed) return options;
  return [...options, { value: runId, label: runId === IMPORTS ? runId : `${runId} (deleted)` }];
}

function missingLabel(source: ModelSource, looking: boolean): string {
  if (source.kind === "record") return `recorded at step ${formatCount(source.step)}`;
  if (looking) return "taking the weights…";
  return source.kind === "live" ? "weights come once it trains" : "no weights";
}

function newestLabel(source: ModelSource, checkpoint: string | null): string {
  if (source.kind === "record") return "none: probe record";
  if (checkpoint !== null || source.kind === "live") return "newest of the run";
  return source.kind === "checkpoint" ? "newest checkpoint" : "last look while it ran";
}
