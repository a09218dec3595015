// How far one curve lies from another, where both are known.
import { lowerBound, type Columns } from "@/charts/line/columns";

/** `curve` minus `baseline` at the points of the curve; the baseline is read between its points on a straight line. */
export function difference(curve: Columns, baseline: Columns): Columns {
  const x = new Float64Array(curve.length);
  const y = new Float64Array(curve.length);
  const first = baseline.x[0] ?? Infinity;
  const last = baseline.length > 0 ? (baseline.x[baseline.length - 1] ?? -Infinity) : -Infinity;
  let length = 0;
  for (let i = 0; i < curve.length; i += 1) {
    const at = curve.x[i] ?? NaN;
    if (!(at >= first && at <= last)) continue; // a guess beyond its ends would look like a finding
    x[length] = at;
    y[length] = (curve.y[i] ?? NaN) - valueAt(baseline, at);
    length += 1;
  }
  return { x, y, length };
}

/** On a straight line between its points. */
export function valueAt(line: Columns, at: number): number {
  const after = lowerBound(line, at);
  const [x1, y1] = [line.x[after] ?? NaN, line.y[after] ?? NaN];
  if (x1 === at || after === 0) return y1;
  const [x0, y0] = [line.x[after - 1] ?? NaN, line.y[after - 1] ?? NaN];
  return y0 + ((y1 - y0) * (at - x0)) / (x1 - x0);
}
