// Which checkpoints are shown, and in which order.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { CheckpointKind, type Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { isImport, placeOf } from "./checkpoint-name";

export const SORT_KEYS = [
  "run",
  "kind",
  "step",
  "loss",
  "validation",
  "size",
  "age",
  "whole",
  "resumes",
  "pinned",
] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Order {
  readonly key: SortKey;
  readonly descending: boolean;
}

/** Newest first. */
export const FIRST_ORDER: Order = { key: "age", descending: false };

export type Wholeness = "damaged" | "unchecked" | "whole";

/** What the last look at its bytes said. */
export function wholenessOf({ damage, verifyTime }: Checkpoint): Wholeness {
  if (damage.length > 0) return "damaged";
  return verifyTime === undefined ? "unchecked" : "whole";
}

/** How far a run that goes on from it is the run it was. */
export function resumesAs({ kind, inexactReasons }: Checkpoint): "not" | "exact" | "inexact" {
  if (kind !== CheckpointKind.FULL) return "not";
  return inexactReasons.length > 0 ? "inexact" : "exact";
}

/** What it is, in a word or two. */
export function kindOf({ kind, name }: Checkpoint): "full" | "import" | "weights only" {
  if (kind !== CheckpointKind.WEIGHTS) return "full";
  return isImport(name) ? "import" : "weights only";
}

/** Every word has to be found somewhere in what is known of the checkpoint. */
export function filterCheckpoints(all: readonly Checkpoint[], filter: string): Checkpoint[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((one) => {
    const text = textOf(one);
    return words.every((word) => text.includes(word));
  });
}

function textOf(one: Checkpoint): string {
  const labels = Object.entries(one.labels).flat();
  const kind = kindOf(one);
  const pinned = one.pinned ? "pinned" : "";
  const { run, checkpoint } = placeOf(one.name);
  return [run, checkpoint, kind, one.preset, one.savedBecause, wholenessOf(one), pinned, one.notes]
    .concat(labels)
    .join(" ")
    .toLowerCase();
}

/** What is not known comes last, whichever way it is ordered. */
export function sortCheckpoints(
  all: readonly Checkpoint[],
  { key, descending }: Order,
): Checkpoint[] {
  const valued = all.map((one) => ({ one, value: VALUES[key](one) }));
  valued.sort((a, b) => {
    if (a.value === undefined || b.value === undefined) {
      return Number(a.value === undefined) - Number(b.value === undefined);
    }
    const less = a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
    return descending ? -less : less;
  });
  return valued.map(({ one }) => one);
}

const WHOLENESS_RANK: Record<Wholeness, number> = { damaged: 0, unchecked: 1, whole: 2 };

const VALUES: Record<SortKey, (one: Checkpoint) => number | string | undefined> = {
  run: (one) => placeOf(one.name).run,
  kind: (one) => `${one.kind} ${one.savedBecause}`,
  step: (one) => one.step,
  loss: (one) => one.loss,
  validation: (one) => one.validationLoss,
  size: (one) => Number(one.sizeBytes),
  age: (one) => (one.createTime ? -timestampMs(one.createTime) : undefined),
  whole: (one) => WHOLENESS_RANK[wholenessOf(one)],
  resumes: (one) => resumesAs(one),
  pinned: (one) => (one.pinned ? 0 : 1),
};
