// A token in a row of the timeline, and where arrow keys go from it. Pure.
import type { WrittenStep } from "./timeline-run";

export interface TokenPlace {
  readonly row: number;
  readonly token: number;
}

const WAYS: Partial<Record<string, readonly [number, number]>> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** The place an arrow key leads to, the first one from nowhere; null for other keys and where nothing is written. */
export function neighbourOf(
  from: TokenPlace | null,
  key: string,
  rows: readonly Pick<WrittenStep, "state">[],
): TokenPlace | null {
  const way = WAYS[key];
  if (way === undefined || rows.length === 0) return null;
  const row = from === null ? 0 : Math.max(0, Math.min(rows.length - 1, from.row + way[0]));
  const count = rows[row]?.state.tokens.length ?? 0;
  if (count === 0) return null;
  const token = from === null ? 0 : Math.max(0, Math.min(count - 1, from.token + way[1]));
  return { row, token };
}
