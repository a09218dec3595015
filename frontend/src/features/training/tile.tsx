// One number with its unit, its recent past and, on hover or focus, its definition.
import { Sparkline } from "@/charts/sparkline/sparkline";
import { Tooltip } from "@/ui/tooltip";
import styles from "./tile.module.css";

export function Tile({
  title,
  value,
  unit = "",
  definition,
  past,
  color = "--train",
  "data-testid": testId,
}: {
  title: string;
  value: string;
  unit?: string;
  definition: string;
  past: readonly number[];
  color?: `--${string}`;
  "data-testid": string;
}) {
  return (
    <Tooltip text={definition}>
      <button type="button" className={styles["tile"]}>
        <span className={styles["title"]}>{title}</span>
        <span className={styles["value"]}>
          <span data-testid={testId}>{value}</span>
          {unit !== "" && <span className={styles["unit"]}>{unit}</span>}
        </span>
        <Sparkline values={past} color={color} />
      </button>
    </Tooltip>
  );
}
