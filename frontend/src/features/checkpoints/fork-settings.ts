// What may differ in a fork, as typed; only what was changed is sent, so the checkpoint's spec decides the rest.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ForkRunRequestSchema } from "@/gen/lab/v1/trainer_service_pb";
import type { Problem } from "@/gen/lab/v1/error_pb";
import { RunSpecSchema, type RunSpec } from "@/gen/lab/v1/run_spec_pb";
import { formatCount } from "@/lib/format";

export const FORK_FIELDS = ["rate", "steps", "batch", "seed"] as const;
export type ForkField = (typeof FORK_FIELDS)[number];
export type Typed = Partial<Record<ForkField | "name", string>>;

export interface FieldText {
  readonly label: string;
  readonly hint: (checkpointStep: number) => string;
  /** Where the spec has it, as the server's complaints name it. */
  readonly path: string;
  readonly now: (spec: RunSpec | undefined) => string;
}

export const FORK_TEXTS: Record<ForkField, FieldText> = {
  rate: {
    label: "Learning rate",
    hint: () => "peak of the schedule",
    path: "optimizer.learning_rate",
    now: (spec) => String(spec?.optimizer?.learningRate ?? ""),
  },
  steps: {
    label: "Steps",
    hint: (step) => `in all: the ${formatCount(step)} before the fork count`,
    path: "budget.steps",
    now: (spec) => String(spec?.budget?.steps ?? ""),
  },
  batch: {
    label: "Batch",
    hint: () => "sequences per step",
    path: "budget.batch",
    now: (spec) => String(spec?.budget?.batch ?? ""),
  },
  seed: {
    label: "Seed",
    hint: () => "another one reads the text in another order",
    path: "data.seed",
    now: (spec) => String(spec?.data?.seed ?? ""),
  },
};

/** The request, or which field cannot be sent and why. Limits are the server's business. */
export function forkRequest(
  checkpoint: string,
  typed: Typed,
): MessageInitShape<typeof ForkRunRequestSchema> | { field: ForkField; error: string } {
  const overrides = create(RunSpecSchema, {});
  for (const field of FORK_FIELDS) {
    const text = typed[field]?.trim();
    if (text === undefined) continue;
    if (field === "rate") {
      const rate = Number(text);
      if (text === "" || !Number.isFinite(rate)) {
        return { field, error: "must be a number, as in 0.001 or 6e-4" };
      }
      overrides.optimizer = create(RunSpecSchema, { optimizer: { learningRate: rate } }).optimizer;
      continue;
    }
    if (!/^\d{1,9}$/.test(text)) return { field, error: "must be a whole number, as in 500" };
    const whole = Number(text);
    const budget = { ...(field === "steps" ? { steps: whole } : { batch: whole }) };
    if (field === "seed") {
      overrides.data = create(RunSpecSchema, { data: { seed: BigInt(whole) } }).data;
    } else {
      const before = overrides.budget ?? {};
      overrides.budget = create(RunSpecSchema, { budget: { ...before, ...budget } }).budget;
    }
  }
  return { checkpoint, overrides, displayName: typed.name ?? "" };
}

export interface ForkErrors {
  readonly at: Partial<Record<ForkField | "name", string>>;
  /** What belongs to no field of the dialog. */
  readonly elsewhere: Problem | undefined;
}

/** What the server refused, each complaint at its field. */
export function forkErrors(problem: Problem | undefined): ForkErrors {
  if (!problem) return { at: {}, elsewhere: undefined };
  const at: ForkErrors["at"] = {};
  const violations = problem.violations.filter(({ field, description }) => {
    const mine = FORK_FIELDS.find((one) => field.endsWith(FORK_TEXTS[one].path));
    const place = field === "display_name" ? "name" : mine;
    if (place) at[place] = description;
    return place === undefined;
  });
  const all = problem.violations.length > 0 && violations.length === 0;
  return { at, elsewhere: all ? undefined : { ...problem, violations } };
}
