// Percentile clipping: the height of a chart without its outliers, and marks where those are.
import { lowerBound, type Columns } from "./columns";
import type { Scale } from "./geometry";
import type { Stretch } from "./window";

export const CLIP: Stretch = [0.05, 0.95];

/** From the lowest 5th to the highest 95th percentile of the lines, each over its values in sight. */
export function clippedExtent(
  lines: readonly Columns[],
  [from, to]: Stretch,
  positive: boolean,
): Stretch | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (const line of lines) {
    const seen = line.y
      .slice(lowerBound(line, from), upperBound(line, to))
      .filter((value) => Number.isFinite(value) && !(positive && value <= 0))
      .sort();
    if (seen.length === 0) continue;
    low = Math.min(low, quantile(seen, CLIP[0]));
    high = Math.max(high, quantile(seen, CLIP[1]));
  }
  return low > high ? undefined : [low, high];
}

/** Between neighbours on a straight line, as numpy does it. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] ?? NaN;
  return low + ((sorted[below + 1] ?? low) - low) * (at - below);
}

function upperBound(line: Columns, at: number): number {
  let end = lowerBound(line, at);
  while (end < line.length && line.x[end] === at) end += 1;
  return end;
}

export interface Outlier {
  px: number;
  above: boolean;
}

/** Where values in sight lie outside the height of the chart; one mark per pixel and side. */
export function outliers(line: Columns, [from, to]: Stretch, x: Scale, y: Scale): Outlier[] {
  const [low = -Infinity, high = Infinity] = y.domain();
  const found = new Map<number, Outlier>();
  const end = upperBound(line, to);
  for (let i = lowerBound(line, from); i < end; i += 1) {
    const value = line.y[i] ?? NaN;
    if (!Number.isFinite(value) || (value >= low && value <= high)) continue;
    const above = value > high;
    const px = Math.round(x(line.x[i] ?? 0));
    found.set(above ? px : -px - 1, { px, above });
  }
  return [...found.values()];
}
