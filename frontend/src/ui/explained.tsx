// A word that explains itself: underlined with dots, its definition one hover or one focus away.
import type { ReactNode } from "react";
import { Tooltip } from "./tooltip";
import styles from "./explained.module.css";

export function Explained({ children, as }: { children: ReactNode; as: ReactNode }) {
  return (
    <Tooltip text={as}>
      <button type="button" className={styles["word"]}>
        {children}
      </button>
    </Tooltip>
  );
}
