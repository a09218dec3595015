import { describe, expect, it } from "vitest";
import { DIVERGING, signedIndex, sqrtIndex, VIRIDIS } from "./palette";

describe("viridis table", () => {
  it("is opaque and ends where viridis does", () => {
    expect(VIRIDIS).toHaveLength(256);
    expect([...VIRIDIS].every((pixel) => pixel >>> 24 === 255)).toBe(true);
    expect((VIRIDIS[0] ?? 0) & 0xffffff).toBe(0x540144);
    expect((VIRIDIS[255] ?? 0) & 0xffffff).toBe(0x25e7fd);
  });
});

describe("diverging table", () => {
  it("goes from purple for less by way of pale to orange for more", () => {
    const [less = 0, none = 0, more = 0] = [0, 128, 255].map((index) => DIVERGING[index]);
    const red = (pixel: number) => pixel & 255;
    const blue = (pixel: number) => (pixel >>> 16) & 255;
    expect(blue(less)).toBeGreaterThan(red(less));
    expect(red(more)).toBeGreaterThan(blue(more));
    expect(Math.min(red(none), blue(none))).toBeGreaterThan(230);
  });
});

describe("sqrtIndex", () => {
  it.each([
    [0, 0],
    [1, 255],
    [0.25, 128],
    [0.01, 26],
    [-0.5, 0],
    [7, 255],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 255],
  ])("places %d at %d", (weight, index) => {
    expect(sqrtIndex(weight)).toBe(index);
  });
});

describe("signedIndex", () => {
  it.each([
    [0, 128],
    [1, 255],
    [-1, 0],
    [0.25, 191],
    [-0.25, 64],
    [3, 255],
  ])("places a difference of %d at %d", (difference, index) => {
    expect(signedIndex(difference)).toBe(index);
  });
});
