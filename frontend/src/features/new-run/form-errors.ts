// Which field of the form each complaint belongs to, and what belongs to none.
import type { Problem } from "@/gen/lab/v1/error_pb";
import { BESIDE_FIELDS, MODEL_FIELDS, TRAINING_FIELDS } from "./fields";

const OWN_PLACE = [
  "data.corpus",
  "budget.steps",
  "budget.epochs",
  "hooks.sample_prompts",
  "display_name",
  "tags",
];
const SHOWN_AT_FIELDS = [...TRAINING_FIELDS, ...BESIDE_FIELDS, ...MODEL_FIELDS]
  .map((field) => field.path)
  .concat(OWN_PLACE);

export interface FormErrors {
  at: (path: string) => string | undefined;
  elsewhere: readonly { field: string; description: string }[];
  none: boolean;
}

/** `unsendable` are texts that are no value at all; `problem` is what the server said of the rest. */
export function formErrors(
  unsendable: Readonly<Record<string, string>>,
  problem: Problem | undefined,
): FormErrors {
  const violations = (problem?.violations ?? []).map(({ field, description }) => ({
    field: field.replace(/\[\d+\]$/, ""), // one of a list is shown at the list's field
    description,
  }));
  const belongs = (field: string, path: string) => field === path || field.endsWith(`.${path}`);
  return {
    at: (path) =>
      unsendable[path] ?? violations.find(({ field }) => belongs(field, path))?.description,
    elsewhere: violations.filter(
      ({ field }) => !SHOWN_AT_FIELDS.some((path) => belongs(field, path)),
    ),
    none: violations.length === 0,
  };
}
