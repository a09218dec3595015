// The fields of the form: where each lies in the spec, how its text becomes a value, what it means.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

export type FieldKind = "whole" | "number" | "text" | "choice" | "switch";

export interface FormField {
  /** Path in RunSpec, as violations name it. */
  path: string;
  label: string;
  kind: FieldKind;
  hint: string;
  options?: readonly { value: string; label: string }[];
  /** What a switch does. */
  does?: string;
}

export const TRAINING_FIELDS: readonly FormField[] = [
  {
    path: "optimizer.learning_rate",
    label: "Learning rate",
    kind: "number",
    hint: "peak, after the warm-up",
  },
  { path: "budget.batch", label: "Batch", kind: "whole", hint: "sequences per step" },
  {
    path: "schedule.shape",
    label: "Schedule",
    kind: "choice",
    hint: "after the warm-up",
    options: [
      { value: "SCHEDULE_SHAPE_COSINE", label: "cosine" },
      { value: "SCHEDULE_SHAPE_WSD", label: "warm-up, stable, decay" },
      { value: "SCHEDULE_SHAPE_LINEAR", label: "linear" },
      { value: "SCHEDULE_SHAPE_CONSTANT", label: "constant" },
    ],
  },
  { path: "schedule.warmup_steps", label: "Warm-up", kind: "whole", hint: "steps from 0 to peak" },
  {
    path: "schedule.floor",
    label: "Floor",
    kind: "number",
    hint: "where it ends, as a share of the peak",
  },
  {
    path: "schedule.decay_share",
    label: "Decay",
    kind: "number",
    hint: "share of the steps; warm-up, stable, decay only",
  },
  {
    path: "data.seed",
    label: "Seed",
    kind: "whole",
    hint: "same seed, same run",
  },
];

export const BESIDE_FIELDS: readonly FormField[] = [
  {
    path: "hooks.sample_every",
    label: "Sample every",
    kind: "whole",
    hint: "steps; 0 turns samples off",
  },
  {
    path: "hooks.evaluate_every",
    label: "Validate every",
    kind: "whole",
    hint: "steps; 0 turns it off",
  },
  {
    path: "hooks.evaluate_batches",
    label: "Validation batches",
    kind: "whole",
    hint: "read by each evaluation",
  },
  {
    path: "hooks.checkpoint_every",
    label: "Checkpoint every",
    kind: "whole",
    hint: "steps; 0, the default, writes none",
  },
  {
    path: "hooks.checkpoint_on_stop",
    label: "Save when it ends",
    kind: "switch",
    hint: "off: nothing is written",
    does: "write a checkpoint",
  },
  {
    path: "hooks.checkpoint_weights_only",
    label: "Save less",
    kind: "switch",
    hint: "a third of the room; to look into, not to resume or fork from",
    does: "weights only",
  },
];

export const MODEL_FIELDS: readonly FormField[] = [
  { path: "model.layers", label: "Layers", kind: "whole", hint: "transformer blocks" },
  { path: "model.width", label: "Width", kind: "whole", hint: "a multiple of heads" },
  { path: "model.heads", label: "Heads", kind: "whole", hint: "per block" },
  { path: "model.context", label: "Context", kind: "whole", hint: "tokens it can read" },
  { path: "model.dropout", label: "Dropout", kind: "number", hint: "0 to below 1" },
  {
    path: "budget.micro_batch",
    label: "Micro-batch",
    kind: "whole",
    hint: "sequences per forward pass; less needs less memory",
  },
  { path: "optimizer.weight_decay", label: "Weight decay", kind: "number", hint: "AdamW" },
  {
    path: "optimizer.clip",
    label: "Clip",
    kind: "number",
    hint: "largest gradient norm; 0 is off",
  },
  { path: "budget.threads", label: "Threads", kind: "whole", hint: "0: all physical cores" },
];

/** A value, or why the text is none. Limits are the server's business; this is only about what can be sent. */
export function parseField(
  kind: FieldKind,
  text: string,
): { value: JsonValue } | { error: string } {
  const trimmed = text.trim();
  switch (kind) {
    case "text":
    case "choice":
      return { value: text };
    case "switch":
      return { value: text === "true" };
    case "whole":
      return /^\d{1,20}$/.test(trimmed)
        ? { value: trimmed }
        : { error: "must be a whole number, 0 or more, as in 64" };
    case "number": {
      const number = Number(trimmed);
      return trimmed !== "" && Number.isFinite(number)
        ? { value: number }
        : { error: "must be a number, as in 0.001 or 6e-4" };
    }
  }
}

export function readPath(spec: JsonObject, path: string): JsonValue | undefined {
  let here: JsonValue | undefined = spec;
  for (const part of path.split(".")) {
    if (typeof here !== "object" || here === null || Array.isArray(here)) return undefined;
    here = here[part];
  }
  return here;
}

export function writePath(spec: JsonObject, path: string, value: JsonValue): void {
  const parts = path.split(".");
  const last = parts.pop() ?? "";
  let here = spec;
  for (const part of parts) {
    const next = here[part];
    if (typeof next === "object" && next !== null && !Array.isArray(next)) here = next;
    else {
      const made: JsonObject = {};
      here[part] = made;
      here = made;
    }
  }
  here[last] = value;
}
