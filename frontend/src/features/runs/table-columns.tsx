// The columns of the runs table: what each shows, how it is explained, whether it is there at first.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { Run } from "@/gen/lab/v1/run_pb";
import { runColorVariable } from "@/lib/colors";
import {
  formatAge,
  formatCount,
  formatDuration,
  formatLearningRate,
  formatLoss,
  formatParameters,
  formatShare,
} from "@/lib/format";
import { LossSparkline } from "./loss-sparkline";
import { placeDefinition, placeText, type Waiting } from "./queue";
import styles from "./runs-table.module.css";
import type { SortKey } from "./sort-runs";
import { StateBadge } from "./state-badge";
import { runId } from "./state-name";
import type { LiveStats } from "./use-live-stats";

export interface RowContext {
  run: Run;
  stats: LiveStats;
  nowMs: number;
  /** Its place among those that wait for a slot; undefined when it does not wait. */
  waiting: Waiting | undefined;
  onTag: (tag: string) => void;
}

export interface TableColumn {
  key: SortKey;
  title: string;
  definition: string;
  number?: boolean;
  /** Not shown until somebody asks for it. */
  extra?: boolean;
  /** Not on a telephone, which shows how a run does; what it was made of is on its page. */
  wide?: boolean;
  cell: (row: RowContext) => ReactNode;
}

export const TABLE_COLUMNS: readonly TableColumn[] = [
  {
    key: "run",
    title: "Run",
    definition: "Its name. The colour belongs to it for ever, here and in every comparison.",
    cell: ({ run }) => (
      <>
        <span
          className={styles["swatch"]}
          style={{ background: `var(${runColorVariable(run.name)})` }}
        />
        <Link to={`/${run.name}`} data-testid="run-link">
          {run.displayName || runId(run.name)}
        </Link>
      </>
    ),
  },
  {
    key: "state",
    title: "State",
    definition: "Where it is in its life. Waiting runs start in order as slots become free.",
    cell: ({ run }) => <StateBadge state={run.state} />,
  },
  {
    key: "tags",
    title: "Tags",
    definition: "Short words to find and group runs by; click one to filter.",
    wide: true,
    cell: ({ run, onTag }) =>
      run.tags.map((tag) => (
        <button key={tag} type="button" className={styles["tag"]} onClick={() => onTag(tag)}>
          {tag}
        </button>
      )),
  },
  {
    key: "preset",
    title: "Preset",
    definition: "The preset its spec was made from.",
    wide: true,
    cell: ({ run }) => run.preset,
  },
  {
    key: "corpus",
    title: "Corpus",
    definition: "The text it reads.",
    wide: true,
    cell: ({ run }) => run.spec?.data?.corpus,
  },
  {
    key: "progress",
    title: "Progress",
    definition:
      "Steps made of all its steps; of a run that waits, its place in line and when it will start.",
    cell: ({ run, stats, waiting }) => {
      if (waiting) {
        return (
          <span
            className={styles["place"]}
            title={placeDefinition(waiting)}
            data-testid="queue-place"
          >
            {placeText(waiting)}
          </span>
        );
      }
      const total = run.stats?.totalSteps ?? 0;
      const share = total > 0 ? stats.step / total : 0;
      return (
        <span className={styles["progress"]}>
          <progress value={share} max={1} aria-label={`${formatShare(share)} done`} />
          <span>{formatShare(share)}</span>
        </span>
      );
    },
  },
  {
    key: "step",
    title: "Step",
    definition: "Optimizer steps made.",
    number: true,
    wide: true,
    cell: ({ stats }) => <span data-testid="run-row-step">{formatCount(stats.step)}</span>,
  },
  {
    key: "loss",
    title: "Loss",
    definition: "Training loss of the newest step, in nats per token.",
    number: true,
    cell: ({ stats }) => formatLoss(stats.loss),
  },
  {
    key: "curve",
    title: "Curve",
    definition: "Its training loss from the first step to the newest, each with its own height.",
    wide: true,
    cell: ({ run }) => <LossSparkline run={run} />,
  },
  {
    key: "validation",
    title: "Val. loss",
    definition: "Newest loss on text that is kept aside, in nats per token.",
    number: true,
    wide: true,
    cell: ({ stats }) => formatLoss(stats.validationLoss),
  },
  {
    key: "best",
    title: "Best val.",
    definition: "Lowest validation loss so far.",
    number: true,
    extra: true,
    cell: ({ run }) => formatLoss(run.stats?.bestValidationLoss),
  },
  {
    key: "speed",
    title: "Tokens/s",
    definition: "Tokens trained on per second; pauses, evaluations and samples left out.",
    number: true,
    wide: true,
    cell: ({ stats }) => formatCount(stats.tokensPerSec),
  },
  {
    key: "elapsed",
    title: "Trained",
    definition: "Time spent training, pauses left out.",
    number: true,
    extra: true,
    cell: ({ run }) => formatDuration(run.stats?.elapsedSecs),
  },
  {
    key: "parameters",
    title: "Parameters",
    definition: "Numbers it learns, each counted once.",
    number: true,
    extra: true,
    cell: ({ run }) => formatParameters(run.stats?.parameters),
  },
  {
    key: "rate",
    title: "Peak rate",
    definition: "The learning rate after the warm-up.",
    number: true,
    extra: true,
    cell: ({ run }) => formatLearningRate(run.spec?.optimizer?.learningRate),
  },
  {
    key: "batch",
    title: "Batch",
    definition: "Sequences per step.",
    number: true,
    extra: true,
    cell: ({ run }) => formatCount(run.spec?.budget?.batch),
  },
  {
    key: "age",
    title: "Age",
    definition: "How long ago it was created.",
    number: true,
    wide: true,
    cell: ({ run, nowMs }) =>
      formatAge((nowMs - (run.createTime ? timestampMs(run.createTime) : nowMs)) / 1000),
  },
];
