// A text or number input.
import type { InputHTMLAttributes } from "react";
import styles from "./input.module.css";

export function TextInput({ className, ...rest }: InputHTMLAttributes<HTMLInputElement>) {
  return <input {...rest} className={[styles["input"], className].filter(Boolean).join(" ")} />;
}
