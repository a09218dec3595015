// Points as two number columns, x rising. What every line of a chart is made of, and how places in it are found.
export interface Columns {
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** Points in use; the arrays may be longer. */
  readonly length: number;
}

/** Room for `length` numbers: in the memory of `before`, which is no longer needed, or in new memory for `capacity`. */
export function roomFor(length: number, capacity: number, before?: Float64Array): Float64Array {
  const bytes = length * Float64Array.BYTES_PER_ELEMENT;
  return before && before.buffer.byteLength >= bytes
    ? new Float64Array(before.buffer, 0, length)
    : new Float64Array(Math.max(length, capacity)).subarray(0, length);
}

/** Index of the first point with x at or after `at`; the length when there is none. */
export function lowerBound({ x, length }: Columns, at: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((x[middle] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the point nearest to `at`; -1 when there are no points. */
export function nearestIndex(columns: Columns, at: number): number {
  if (columns.length === 0) return -1;
  const after = Math.min(lowerBound(columns, at), columns.length - 1);
  const before = Math.max(0, after - 1);
  const { x } = columns;
  return Math.abs((x[before] ?? 0) - at) <= Math.abs((x[after] ?? 0) - at) ? before : after;
}

/** Places of at most `most` points inside the stretch, spread evenly, the first and the last among them. */
export function rowsInSight(
  columns: Columns,
  [from, to]: readonly [number, number],
  most: number,
): number[] {
  const begin = lowerBound(columns, from);
  let end = lowerBound(columns, to);
  if (end < columns.length && columns.x[end] === to) end += 1;
  const count = Math.max(0, end - begin);
  const rows = Math.min(count, most);
  return Array.from({ length: rows }, (_, row) => {
    const at = rows === 1 ? 0 : Math.round((row * (count - 1)) / (rows - 1));
    return columns.x[begin + at] ?? NaN;
  });
}
