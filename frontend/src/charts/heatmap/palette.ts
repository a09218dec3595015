// Viridis as a table of 256 packed pixels, so that colouring a cell is one array read.
import { rgb } from "d3-color";
import { interpolatePuOr, interpolateViridis } from "d3-scale-chromatic";

const STEPS = 256;

/** A pixel that shows the panel behind it: what a masked cell looks like. */
export const BLANK = 0;

/** Packed little-endian RGBA, indexed by the square root of the weight times 255. */
export const VIRIDIS: Uint32Array = buildTable(interpolateViridis);

/** For differences: purple is less, orange is more, none is pale; 0 is in the middle. */
export const DIVERGING: Uint32Array = buildTable(diverging);

/** The colour of a share from 0, the most below zero, to 1, the most above. */
export function diverging(share: number): string {
  return interpolatePuOr(share);
}

function buildTable(colorOf: (share: number) => string): Uint32Array {
  const table = new Uint32Array(STEPS);
  for (let index = 0; index < STEPS; index++) {
    const { r, g, b } = rgb(colorOf(index / (STEPS - 1)));
    table[index] =
      ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
  }
  return table;
}

/** CSS gradient of the same colours, for legends. */
export function viridisGradient(direction = "to right"): string {
  return gradient(interpolateViridis, direction);
}

export function divergingGradient(direction = "to right"): string {
  return gradient(diverging, direction);
}

function gradient(colorOf: (share: number) => string, direction: string): string {
  const stops = Array.from({ length: 9 }, (_, index) => colorOf(index / 8));
  return `linear-gradient(${direction}, ${stops.join(", ")})`;
}

/** Index of a weight in the table. Attention lives near 0, where a square root spends most of its colours. */
export function sqrtIndex(weight: number): number {
  if (!(weight > 0)) return 0;
  return weight >= 1 ? STEPS - 1 : Math.round(Math.sqrt(weight) * (STEPS - 1));
}

/** Index of a difference of weights in the diverging table, on the same root scale to both sides. */
export function signedIndex(difference: number): number {
  const root = Math.sign(difference) * Math.sqrt(Math.min(1, Math.abs(difference)));
  return Math.round(((1 + (root || 0)) * (STEPS - 1)) / 2);
}
