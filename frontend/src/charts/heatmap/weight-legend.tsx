// The colour scale in words and colours: what is measured, from where to where, and by which rule.
import styles from "./heatmap.module.css";
import { viridisGradient } from "./palette";

const BAR = { background: viridisGradient() };

export function WeightLegend() {
  return (
    <span className={styles["legend"]}>
      <span>weight, √ scale</span>
      <span>0</span>
      <span className={styles["bar"]} style={BAR} aria-hidden="true" />
      <span>1</span>
    </span>
  );
}
