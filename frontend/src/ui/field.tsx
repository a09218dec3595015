// A labelled form field: label, control, hint, and what is wrong with it. The control gets its ids by render prop.
import { useId, type ReactNode } from "react";
import styles from "./field.module.css";

export interface FieldControl {
  id: string;
  "aria-describedby": string;
  "aria-invalid": boolean;
}

export function Field({
  label,
  hint,
  error,
  children,
}: {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  children: (control: FieldControl) => ReactNode;
}) {
  const id = useId();
  const noteId = `${id}-note`;
  return (
    <div className={styles["field"]}>
      <label htmlFor={id} className={styles["label"]}>
        {label}
      </label>
      {children({ id, "aria-describedby": noteId, "aria-invalid": error !== undefined })}
      <div
        id={noteId}
        className={error === undefined ? styles["hint"] : styles["error"]}
        role={error === undefined ? undefined : "alert"}
      >
        {error ?? hint}
      </div>
    </div>
  );
}
