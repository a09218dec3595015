// The columns of the checkpoints table: what each shows and how it is explained.
import { timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { BucketCopyState, type Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { formatAge, formatBytes, formatCount, formatLoss } from "@/lib/format";
import { Badge } from "@/ui/badge";
import { isImport, placeOf } from "./checkpoint-name";
import styles from "./checkpoints-table.module.css";
import { kindOf, resumesAs, wholenessOf, type SortKey } from "./sort-checkpoints";

export interface CheckpointColumn {
  key: SortKey;
  title: string;
  definition: string;
  number?: boolean;
  /** Not on a telephone. */
  wide?: boolean;
  cell: (checkpoint: Checkpoint, nowMs: number) => ReactNode;
}

export const CHECKPOINT_COLUMNS: readonly CheckpointColumn[] = [
  {
    key: "run",
    title: "Run",
    definition: "The run it is a state of; or the name of weights that were brought in.",
    cell: ({ name }) => {
      const { run, checkpoint } = placeOf(name);
      if (isImport(name)) return checkpoint;
      return <Link to={`/runs/${run}`}>{run}</Link>;
    },
  },
  {
    key: "step",
    title: "Step",
    definition: "Optimizer steps made before it was taken.",
    number: true,
    cell: ({ step }) => <span data-testid="checkpoint-step">{formatCount(step)}</span>,
  },
  {
    key: "loss",
    title: "Loss",
    definition: "Training loss at that step, in nats per token.",
    number: true,
    cell: ({ loss }) => formatLoss(loss),
  },
  {
    key: "validation",
    title: "Validation",
    definition: "Newest loss then on text that is kept aside, in nats per token.",
    number: true,
    wide: true,
    cell: ({ validationLoss }) => formatLoss(validationLoss),
  },
  {
    key: "size",
    title: "Size",
    definition: "Of all its files: weights, the optimizer's moments, random numbers, position.",
    number: true,
    wide: true,
    cell: ({ sizeBytes }) => formatBytes(sizeBytes),
  },
  {
    key: "age",
    title: "Age",
    definition: "How long ago it became visible.",
    number: true,
    wide: true,
    cell: ({ createTime }, nowMs) =>
      createTime && (
        <span title={timestampDate(createTime).toLocaleString()}>
          {formatAge(Math.max(0, (nowMs - timestampMs(createTime)) / 1000))}
        </span>
      ),
  },
  {
    key: "kind",
    title: "Saved",
    definition:
      "Why it was saved. Weights only, from a run or from elsewhere, are to look into, not to resume.",
    wide: true,
    cell: (checkpoint) => {
      const kind = kindOf(checkpoint);
      if (kind === "full" || kind === "import") return checkpoint.savedBecause || kind;
      return checkpoint.savedBecause ? `${checkpoint.savedBecause} (${kind})` : kind;
    },
  },
  {
    key: "resumes",
    title: "Resumes",
    definition:
      "Exact: a run that goes on from it makes the same numbers, bit for bit, as one that never stopped.",
    wide: true,
    cell: (checkpoint) => {
      const as = resumesAs(checkpoint);
      if (as === "not") return "–";
      if (as === "exact") return "exact";
      return <span title={checkpoint.inexactReasons.join("\n")}>not bit for bit</span>;
    },
  },
  {
    key: "whole",
    title: "Whole",
    definition: "What the last look at every byte said. Verify looks again.",
    wide: true,
    cell: (checkpoint, nowMs) => <Verdict checkpoint={checkpoint} nowMs={nowMs} />,
  },
  {
    key: "pinned",
    title: "Kept",
    definition: "Pinned: deleted by nobody and no policy. In the bucket: a copy is there too.",
    wide: true,
    cell: (checkpoint) => <Kept checkpoint={checkpoint} />,
  },
];

function Verdict({ checkpoint, nowMs }: { checkpoint: Checkpoint; nowMs: number }) {
  const { damage, verifyTime } = checkpoint;
  const wholeness = wholenessOf(checkpoint);
  if (wholeness === "unchecked") return <span className={styles["unknown"]}>not checked</span>;
  const age = verifyTime ? formatAge(Math.max(0, (nowMs - timestampMs(verifyTime)) / 1000)) : "";
  const whole = wholeness === "whole";
  return (
    <span title={whole ? `Every byte looked at, ${age}` : damage.join("\n")}>
      <Badge
        tone={whole ? "done" : "failed"}
        shape={whole ? "check" : "cross"}
        data-testid="checkpoint-verdict"
      >
        {wholeness}
      </Badge>
    </span>
  );
}

const COPY_WORDS: Record<BucketCopyState, string> = {
  [BucketCopyState.UNSPECIFIED]: "",
  [BucketCopyState.WAITING]: "waits for the bucket",
  [BucketCopyState.COPYING]: "on its way to the bucket",
  [BucketCopyState.DONE]: "in the bucket",
};

function Kept({ checkpoint: { pinned, bucketCopy, labels, notes } }: { checkpoint: Checkpoint }) {
  const said = Object.entries(labels).map(([key, text]) => `${key}: ${text}`);
  return (
    <span className={styles["kept"]} title={[...said, notes].filter(Boolean).join("\n")}>
      {pinned && (
        <Badge shape="square" data-testid="checkpoint-pinned">
          pinned
        </Badge>
      )}
      {bucketCopy && (
        <span title={bucketCopy.error} data-testid="checkpoint-copy">
          {bucketCopy.error === "" ? COPY_WORDS[bucketCopy.state] : "not in the bucket yet"}
        </span>
      )}
      {said.length > 0 && <span className={styles["unknown"]}>{said.join(", ")}</span>}
    </span>
  );
}
