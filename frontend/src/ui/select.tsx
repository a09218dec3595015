// A choice of one. The native element: it is right for the keyboard, the screen reader and the phone.
import type { SelectHTMLAttributes } from "react";
import styles from "./input.module.css";

export interface SelectOption {
  value: string;
  label: string;
  disabled?: boolean;
}

export function Select({
  options,
  className,
  ...rest
}: SelectHTMLAttributes<HTMLSelectElement> & { options: readonly SelectOption[] }) {
  return (
    <select {...rest} className={[styles["input"], className].filter(Boolean).join(" ")}>
      {options.map((option) => (
        <option key={option.value} value={option.value} disabled={option.disabled}>
          {option.label}
        </option>
      ))}
    </select>
  );
}
