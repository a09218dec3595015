// What a canvas shows, as a table: for those who cannot see it and those who want the numbers.
import { useState, useSyncExternalStore } from "react";
import { nearestIndex } from "./columns";
import { fullName, speaksAt, type Line } from "./draw";
import styles from "./line-chart.module.css";
import type { ChartOptions, ChartPainter } from "./painter";
import { placesOfRows } from "./table-rows";

const MOST_ROWS = 60;

export function ChartTable({
  label,
  painter,
  options,
}: {
  label: string;
  painter: ChartPainter;
  options: ChartOptions;
}) {
  const [open, setOpen] = useState(false);
  return (
    <details
      className={styles["table"]}
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>as a table</summary>
      {open && <Rows label={label} painter={painter} options={options} />}
    </details>
  );
}

function Rows({ label, painter, options }: Parameters<typeof ChartTable>[0]) {
  // As it was when it was opened or the stretch was changed: rows that move cannot be read.
  useSyncExternalStore(painter.window.subscribe, () => painter.window.get().stretch);
  const lines = painter.lines().filter((line) => !line.untold && line.columns.length > 0);
  if (lines.length === 0) return <p>Nothing has been measured yet.</p>;
  const places = placesOfRows(lines, painter.shown, MOST_ROWS);
  return (
    <div className={styles["rows"]} tabIndex={0} role="region" aria-label={`${label} as a table`}>
      <table>
        <thead>
          <tr>
            <th scope="col">at</th>
            {lines.map((line) => (
              <th key={fullName(line)} scope="col">
                {fullName(line)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {places.map((x) => (
            <tr key={x}>
              <th scope="row">{options.formatX(x)}</th>
              {lines.map((line) => (
                <td key={fullName(line)}>
                  {speaksAt(line, x) && options.formatY(valueAt(line, x))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function valueAt({ columns }: Line, x: number): number {
  return columns.y[nearestIndex(columns, x)] ?? Number.NaN;
}
