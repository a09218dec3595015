// The values at the cursor, the same x in every linked chart.
import { useSyncExternalStore } from "react";
import { nearestIndex } from "./columns";
import { speaksAt } from "./draw";
import { markersAt } from "./markers";
import styles from "./line-chart.module.css";
import type { ChartOptions, ChartPainter } from "./painter";

const WIDE_PX = 176;
const MOST_ROWS = 10;
const MOST_MARKERS = 4;
const NARROW_PX = 136; // in small charts it must not cover the curve

export function ChartTooltip({
  painter,
  options,
}: {
  painter: ChartPainter;
  options: ChartOptions;
}) {
  const { cursor } = useSyncExternalStore(painter.window.subscribe, painter.window.get);
  if (cursor === null || cursor < painter.shown[0] || cursor > painter.shown[1]) return null;
  const rows = painter.lines().flatMap((line) => {
    const i = nearestIndex(line.columns, cursor);
    if (i < 0 || line.untold || !speaksAt(line, cursor)) return [];
    const y = line.columns.y[i] ?? NaN;
    const x = line.columns.x[i] ?? NaN;
    const { name, color, mark, inherited = false } = line;
    return [{ name, color, faint: mark === "faint" || inherited, inherited, x, y }];
  });
  const first = rows[0];
  if (!first) return null;
  const beside = markersAt(options.markers ?? [], cursor, painter.x);
  const px = painter.x(cursor);
  const { left, right } = painter.box;
  const width = right - left > 480 ? WIDE_PX : NARROW_PX;
  const flip = px + width + 16 > right;
  return (
    <div
      className={styles["tooltip"]}
      data-testid="chart-tooltip"
      style={{
        width,
        transform: `translateX(${Math.max(left, flip ? px - width - 12 : px + 12)}px)`,
      }}
    >
      <div className={styles["where"]}>
        {options.formatX(first.x)}
        {first.inherited && ", inherited"}
      </div>
      {rows.slice(0, MOST_ROWS).map((row) => (
        <div key={row.name} className={styles["row"]}>
          <span
            className={styles["swatch"]}
            style={{ background: `var(${row.color})`, opacity: row.faint ? 0.5 : 1 }}
          />
          {rows.length > 1 && <span className={styles["name"]}>{row.name}</span>}
          <span>{options.formatY(row.y)}</span>
        </div>
      ))}
      {rows.length > MOST_ROWS && (
        <div className={styles["where"]}>+{rows.length - MOST_ROWS} more</div>
      )}
      {beside.slice(0, MOST_MARKERS).map((text) => (
        <div key={text} className={styles["where"]}>
          {text}
        </div>
      ))}
    </div>
  );
}
