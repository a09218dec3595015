// The colours of a grid of values, with their ends in words.
import styles from "./heatmap.module.css";
import { divergingGradient, viridisGradient } from "./palette";

const BAR = { background: viridisGradient() };
const DIVERGING_BAR = { background: divergingGradient() };

export function ScaleLegend({
  what,
  low,
  high,
  diverging = false,
}: {
  what: string;
  low: string;
  high: string;
  /** Of differences, with 0 in the middle. */
  diverging?: boolean;
}) {
  return (
    <span className={styles["legend"]}>
      <span>{what}</span>
      <span>{low}</span>
      <span className={styles["bar"]} style={diverging ? DIVERGING_BAR : BAR} aria-hidden="true" />
      <span>{high}</span>
    </span>
  );
}
