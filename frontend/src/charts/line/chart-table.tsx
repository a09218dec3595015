// What a canvas shows, as a table: for those who cannot see it and those who want the numbers.
import { useState, useSyncExternalStore } from "react";
import { nearestIndex, rowsInSight } from "./columns";
import styles from "./line-chart.module.css";
import type { ChartOptions, ChartPainter } from "./painter";

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
  const main = lines[0];
  if (!main) return <p>Nothing has been measured yet.</p>;
  const places = rowsInSight(main.columns, painter.shown, MOST_ROWS);
  return (
    <div className={styles["rows"]} tabIndex={0} role="region" aria-label={`${label} as a table`}>
      <table>
        <thead>
          <tr>
            <th scope="col">at</th>
            {lines.map((line) => (
              <th key={line.name} scope="col">
                {line.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {places.map((x) => (
            <tr key={x}>
              <th scope="row">{options.formatX(x)}</th>
              {lines.map(({ name, columns }) => (
                <td key={name}>
                  {options.formatY(columns.y[nearestIndex(columns, x)] ?? Number.NaN)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
