// How long to train: as the preset says, a number of steps, or a number of passes over the text.
import { Field } from "@/ui/field";
import { Select } from "@/ui/select";
import { TextInput } from "@/ui/text-input";
import type { Draft } from "./draft";
import styles from "./length-field.module.css";

export function LengthField({
  draft,
  presetSteps,
  error,
  onChange,
}: {
  draft: Draft;
  presetSteps: string;
  error: string | undefined;
  onChange: (change: Partial<Draft>) => void;
}) {
  const { length } = draft;
  const value = length === "epochs" ? draft.epochs : length === "steps" ? draft.steps : presetSteps;
  return (
    <Field
      label="Length"
      hint={length === "epochs" ? "passes over the training text" : "optimizer steps"}
      error={error}
    >
      {(control) => (
        <span className={styles["length"]}>
          <TextInput
            {...control}
            data-testid="field-length"
            inputMode="decimal"
            value={value}
            onChange={(event) =>
              onChange(
                length === "epochs"
                  ? { epochs: event.target.value }
                  : { length: "steps", steps: event.target.value },
              )
            }
          />
          <Select
            aria-label="Unit of the length"
            data-testid="field-length-unit"
            options={[
              { value: "steps", label: "steps" },
              { value: "epochs", label: "epochs" },
            ]}
            value={length === "epochs" ? "epochs" : "steps"}
            onChange={(event) =>
              onChange(
                event.target.value === "epochs"
                  ? { length: "epochs" }
                  : { length: draft.steps === "" ? "preset" : "steps" },
              )
            }
          />
        </span>
      )}
    </Field>
  );
}
