// A choice of one. The native element: it is right for the keyboard, the screen reader and the phone.
import type { SelectHTMLAttributes } from "react";
import styles from "./input.module.css";

export interface SelectOption {
  value: string;
  label: string;
  /** Neighbours that name the same group stand under it. */
  group?: string;
  disabled?: boolean;
}

export function Select({
  options,
  className,
  ...rest
}: SelectHTMLAttributes<HTMLSelectElement> & { options: readonly SelectOption[] }) {
  return (
    <select {...rest} className={[styles["input"], className].filter(Boolean).join(" ")}>
      {grouped(options).map(([group, members]) => {
        const rows = members.map((option) => (
          <option key={option.value} value={option.value} disabled={option.disabled}>
            {option.label}
          </option>
        ));
        return group === undefined ? (
          rows
        ) : (
          <optgroup key={members[0]?.value} label={group}>
            {rows}
          </optgroup>
        );
      })}
    </select>
  );
}

function grouped(options: readonly SelectOption[]): [string | undefined, SelectOption[]][] {
  const groups: [string | undefined, SelectOption[]][] = [];
  for (const option of options) {
    const last = groups.at(-1);
    if (last && last[0] === option.group) last[1].push(option);
    else groups.push([option.group, [option]]);
  }
  return groups;
}
