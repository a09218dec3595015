// A text or number input.
import type { ComponentProps } from "react";
import styles from "./input.module.css";

export function TextInput({ className, ...rest }: ComponentProps<"input">) {
  return <input {...rest} className={[styles["input"], className].filter(Boolean).join(" ")} />;
}
