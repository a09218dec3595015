// The one button. `quiet` has no border until hovered, `primary` is the action a page exists for, `danger` destroys.
import type { ButtonHTMLAttributes, ReactNode } from "react";
import styles from "./button.module.css";

export type ButtonKind = "normal" | "primary" | "quiet" | "danger";

export function Button({
  kind = "normal",
  busy = false,
  className,
  children,
  disabled,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & {
  kind?: ButtonKind;
  busy?: boolean;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled === true || busy}
      aria-busy={busy || undefined}
      className={[styles["button"], styles[kind], className].filter(Boolean).join(" ")}
    >
      {children}
    </button>
  );
}
