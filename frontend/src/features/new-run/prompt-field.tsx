// The texts that the model continues again and again while it learns.
import { Field } from "@/ui/field";
import { TextArea } from "@/ui/text-area";

export function PromptField({
  value,
  error,
  onChange,
}: {
  /** One prompt a line. */
  value: string;
  error: string | undefined;
  onChange: (prompts: string) => void;
}) {
  return (
    <Field
      label="Sample prompts"
      hint="one a line; continued again and again while it learns"
      error={error}
    >
      {(control) => (
        <TextArea
          {...control}
          rows={2}
          data-testid="field-prompt"
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
