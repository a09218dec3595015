// The colours of a grid of values, with their ends in words.
import styles from "./heatmap.module.css";
import { viridisGradient } from "./palette";

const BAR = { background: viridisGradient() };

export function ScaleLegend({ what, low, high }: { what: string; low: string; high: string }) {
  return (
    <span className={styles["legend"]}>
      <span>{what}</span>
      <span>{low}</span>
      <span className={styles["bar"]} style={BAR} aria-hidden="true" />
      <span>{high}</span>
    </span>
  );
}
