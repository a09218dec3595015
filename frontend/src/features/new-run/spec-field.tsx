// One field of the form, as its kind wants it.
import { Field } from "@/ui/field";
import { Select } from "@/ui/select";
import { TextInput } from "@/ui/text-input";
import type { FormField } from "./fields";
import styles from "./spec-field.module.css";

export function SpecField({
  field,
  text,
  error,
  onChange,
}: {
  field: FormField;
  text: string;
  error: string | undefined;
  onChange: (text: string) => void;
}) {
  const { path, label, kind, hint, options = [] } = field;
  const testId = `field-${path}`;
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => {
        if (kind === "choice") {
          return (
            <Select
              {...control}
              data-testid={testId}
              options={options}
              value={text}
              onChange={(event) => onChange(event.target.value)}
            />
          );
        }
        if (kind === "switch") {
          return (
            <span className={styles["switch"]}>
              <input
                {...control}
                type="checkbox"
                data-testid={testId}
                checked={text === "true"}
                onChange={(event) => onChange(String(event.target.checked))}
              />
              {text === "true" ? field.does : "off"}
            </span>
          );
        }
        return (
          <TextInput
            {...control}
            data-testid={testId}
            inputMode={kind === "text" ? "text" : "decimal"}
            value={text}
            onChange={(event) => onChange(event.target.value)}
          />
        );
      }}
    </Field>
  );
}
