// A text input of several lines.
import type { TextareaHTMLAttributes } from "react";
import styles from "./input.module.css";

export function TextArea({ className, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <textarea
      {...rest}
      className={[styles["input"], styles["area"], className].filter(Boolean).join(" ")}
    />
  );
}
