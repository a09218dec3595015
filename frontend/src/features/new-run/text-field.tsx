// A labelled line of text.
import { Field } from "@/ui/field";
import { TextInput } from "@/ui/text-input";

export function TextField({
  label,
  hint,
  error,
  value,
  onChange,
  "data-testid": testId,
}: {
  label: string;
  hint: string;
  error: string | undefined;
  value: string;
  onChange: (text: string) => void;
  "data-testid": string;
}) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <TextInput
          {...control}
          data-testid={testId}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
