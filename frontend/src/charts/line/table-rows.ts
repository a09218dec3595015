// At which places of a chart its table has rows.
import { rowsInSight } from "./columns";
import type { Line } from "./draw";
import type { Stretch } from "./window";

/** Those of the first line; where lines follow one another, of the first of each stretch. */
export function placesOfRows(lines: readonly Line[], shown: Stretch, most: number): number[] {
  const leads = lines.filter(
    (line, i) => lines.findIndex(({ reach }) => reach?.[0] === line.reach?.[0]) === i,
  );
  const each = Math.max(1, Math.floor(most / leads.length));
  const places = leads.flatMap(({ columns }) => rowsInSight(columns, shown, each));
  return [...new Set(places)].sort((a, b) => a - b);
}
