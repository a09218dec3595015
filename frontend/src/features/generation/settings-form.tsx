// Prompt and sampling settings, each with its meaning one hover away.
import { Field } from "@/ui/field";
import { Slider } from "@/ui/slider";
import { TextArea } from "@/ui/text-area";
import { TextInput } from "@/ui/text-input";
import type { GenerationSettings, SettingsError } from "./generation-settings";
import styles from "./settings-form.module.css";

const MOST_TEMPERATURE = 2;

const ORDER = "Applied in this order: penalties, top-k, top-p, min-p, temperature.";

const MORE = [
  { field: "topP", label: "top-p", hint: "1 = all", testId: "top-p" },
  { field: "minP", label: "min-p", hint: "0 = all", testId: "min-p" },
  { field: "repetitionPenalty", label: "repetition", hint: "1 = none", testId: "repetition" },
] as const;

export function SettingsForm({
  settings,
  error,
  disabled,
  onChange,
}: {
  settings: GenerationSettings;
  error: SettingsError | null;
  disabled: boolean;
  onChange: (change: Partial<GenerationSettings>) => void;
}) {
  const errorOf = (field: SettingsError["field"]) =>
    error?.field === field ? error.text : undefined;
  return (
    <div className={styles["form"]}>
      <Field label="prompt">
        {(control) => (
          <TextArea
            {...control}
            rows={3}
            value={settings.prompt}
            spellCheck={false}
            onChange={(event) => onChange({ prompt: event.target.value })}
            data-testid="prompt"
          />
        )}
      </Field>
      <div className={styles["temperature"]}>
        <span title="Below 1 sharpens the model's probabilities, above 1 flattens them; 0 always takes the likeliest token.">
          temperature
        </span>
        <Slider
          label="temperature"
          value={settings.temperature}
          min={0}
          max={MOST_TEMPERATURE}
          step={0.05}
          disabled={disabled}
          onChange={(temperature) => onChange({ temperature })}
          data-testid="temperature"
        />
        <output>{settings.temperature.toFixed(2)}</output>
      </div>
      <div className={styles["numbers"]}>
        <Field label="top-k" hint="0 = all" error={errorOf("topK")}>
          {(control) => (
            <TextInput
              {...control}
              inputMode="numeric"
              value={settings.topK}
              onChange={(event) => onChange({ topK: event.target.value })}
              data-testid="top-k"
            />
          )}
        </Field>
        <Field label="max tokens" hint="1 to 512" error={errorOf("maxTokens")}>
          {(control) => (
            <TextInput
              {...control}
              inputMode="numeric"
              value={settings.maxTokens}
              onChange={(event) => onChange({ maxTokens: event.target.value })}
              data-testid="max-tokens"
            />
          )}
        </Field>
        <Field label="seed" hint="empty = new" error={errorOf("seed")}>
          {(control) => (
            <TextInput
              {...control}
              inputMode="numeric"
              value={settings.seed}
              onChange={(event) => onChange({ seed: event.target.value })}
              data-testid="generation-seed"
            />
          )}
        </Field>
      </div>
      <details className={styles["more"]}>
        <summary>more of the sampler</summary>
        <p>{ORDER}</p>
        <div className={styles["numbers"]}>
          {MORE.map(({ field, label, hint, testId }) => (
            <Field key={field} label={label} hint={hint} error={errorOf(field)}>
              {(control) => (
                <TextInput
                  {...control}
                  inputMode="decimal"
                  value={settings[field]}
                  onChange={(event) => onChange({ [field]: event.target.value })}
                  data-testid={testId}
                />
              )}
            </Field>
          ))}
        </div>
        <Field label="stop strings" hint="one per line; the text ends before any of them">
          {(control) => (
            <TextArea
              {...control}
              rows={2}
              value={settings.stop}
              spellCheck={false}
              onChange={(event) => onChange({ stop: event.target.value })}
              data-testid="stop-strings"
            />
          )}
        </Field>
      </details>
    </div>
  );
}
