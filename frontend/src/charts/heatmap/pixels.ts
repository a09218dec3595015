// Weights to pixels. A square lower-triangular matrix is painted into a square of a larger pixel buffer; when several
// cells share a pixel the largest shows, because an average would wipe out a thin diagonal.
import { BLANK, DIVERGING, VIRIDIS } from "./palette";

const NO_DIFFERENCE = 128;

/** Square matrix, row by row, of table indices: the square root of each weight times 255. */
export interface IndexMatrix {
  readonly tokens: number;
  readonly indices: Uint8Array;
  /** Of differences: indices of the diverging table instead, see signedIndex. */
  readonly signed?: boolean;
}

export interface PixelTarget {
  readonly pixels: Uint32Array;
  /** Pixels from one row to the next. */
  readonly stride: number;
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

export function paintMatrix({ tokens, indices, signed }: IndexMatrix, target: PixelTarget): void {
  if (tokens === 0) return;
  const colors = signed ? DIVERGING : VIRIDIS;
  const none = signed ? NO_DIFFERENCE : 0;
  const { first, last } = cellsOfPixels(target.side, tokens);
  for (let row = 0; row < target.side; row++) {
    const firstQuery = first[row] ?? 0;
    const lastQuery = last[row] ?? 0;
    const base = (target.y + row) * target.stride + target.x;
    for (let column = 0; column < target.side; column++) {
      const firstKey = first[column] ?? 0;
      if (firstKey > lastQuery) {
        target.pixels[base + column] = BLANK;
        continue;
      }
      const lastKey = last[column] ?? 0;
      let largest = none;
      for (let query = firstQuery; query <= lastQuery; query++) {
        const end = Math.min(lastKey, query);
        for (let key = firstKey; key <= end; key++) {
          const index = indices[query * tokens + key] ?? none;
          if (Math.abs(index - none) > Math.abs(largest - none)) largest = index;
        }
      }
      target.pixels[base + column] = colors[largest] ?? BLANK;
    }
  }
}

/** The first and the last cell that each pixel of a side covers; one and the same when pixels are plenty. */
function cellsOfPixels(side: number, tokens: number): { first: Int32Array; last: Int32Array } {
  const first = new Int32Array(side);
  const last = new Int32Array(side);
  for (let pixel = 0; pixel < side; pixel++) {
    const start = Math.floor((pixel * tokens) / side);
    first[pixel] = start;
    last[pixel] = Math.max(start, Math.floor(((pixel + 1) * tokens) / side) - 1);
  }
  return { first, last };
}
