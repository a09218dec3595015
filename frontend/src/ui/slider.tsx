// A slider with one thumb, after radix-ui: arrows, Page and Home keys work.
import { Slider as RadixSlider } from "radix-ui";
import styles from "./slider.module.css";

export function Slider({
  label,
  value,
  min,
  max,
  step,
  onChange,
  disabled = false,
  "data-testid": testId,
}: {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  onChange: (value: number) => void;
  disabled?: boolean;
  "data-testid"?: string;
}) {
  return (
    <RadixSlider.Root
      className={styles["root"] ?? ""}
      value={[value]}
      min={min}
      max={max}
      step={step}
      disabled={disabled}
      onValueChange={([next]) => {
        if (next !== undefined) onChange(next);
      }}
    >
      <RadixSlider.Track className={styles["track"] ?? ""}>
        <RadixSlider.Range className={styles["range"] ?? ""} />
      </RadixSlider.Track>
      <RadixSlider.Thumb
        className={styles["thumb"] ?? ""}
        aria-label={label}
        data-testid={testId}
      />
    </RadixSlider.Root>
  );
}
