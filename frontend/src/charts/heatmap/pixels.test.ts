import { describe, expect, it } from "vitest";
import { BLANK, DIVERGING, VIRIDIS } from "./palette";
import { paintMatrix } from "./pixels";

function paint(tokens: number, indices: number[], side: number): number[] {
  const pixels = new Uint32Array(side * side).fill(7);
  const matrix = { tokens, indices: Uint8Array.from(indices) };
  paintMatrix(matrix, { pixels, stride: side, x: 0, y: 0, side });
  return [...pixels];
}

describe("paintMatrix", () => {
  it("leaves keys after their query blank, even when their numbers are not zero", () => {
    expect(paint(2, [255, 99, 100, 155], 2)).toEqual([
      VIRIDIS[255],
      BLANK,
      VIRIDIS[100],
      VIRIDIS[155],
    ]);
  });

  it("colours a true zero in the unmasked half, so that it differs from masked", () => {
    expect(paint(2, [255, 0, 0, 255], 2)[2]).toBe(VIRIDIS[0]);
    expect(VIRIDIS[0]).not.toBe(BLANK);
  });

  it("repeats cells when there are more pixels than cells", () => {
    const pixels = paint(2, [10, 0, 20, 30], 4);
    expect(pixels.slice(0, 4)).toEqual([VIRIDIS[10], VIRIDIS[10], BLANK, BLANK]);
    expect(pixels.slice(8, 12)).toEqual([VIRIDIS[20], VIRIDIS[20], VIRIDIS[30], VIRIDIS[30]]);
  });

  it("shows the largest of the cells that share a pixel", () => {
    const tokens = 8;
    const indices = new Array<number>(tokens * tokens).fill(1);
    for (let query = 1; query < tokens; query++) indices[query * tokens + query - 1] = 200;
    const pixels = paint(tokens, indices, 2);
    expect(pixels[0]).toBe(VIRIDIS[200]);
    expect(pixels[1]).toBe(BLANK);
    expect(pixels[2]).toBe(VIRIDIS[200]);
  });

  it("never lets a masked cell into a shared pixel", () => {
    const pixels = paint(4, [1, 255, 255, 255, 1, 1, 255, 255, 1, 1, 1, 255, 1, 1, 1, 1], 2);
    expect(pixels).toEqual([VIRIDIS[1], BLANK, VIRIDIS[1], VIRIDIS[1]]);
  });

  it("touches nothing outside its square", () => {
    const pixels = new Uint32Array(16).fill(7);
    const matrix = { tokens: 1, indices: Uint8Array.from([255]) };
    paintMatrix(matrix, { pixels, stride: 4, x: 1, y: 1, side: 2 });
    expect([...pixels].filter((pixel) => pixel === 7)).toHaveLength(12);
    expect(pixels[5]).toBe(VIRIDIS[255]);
    expect(pixels[10]).toBe(VIRIDIS[255]);
  });

  it("shows the difference farthest from none, be it more or less", () => {
    const pixels = new Uint32Array(1);
    const matrix = { tokens: 2, indices: Uint8Array.from([128, 0, 60, 180]), signed: true };
    paintMatrix(matrix, { pixels, stride: 1, x: 0, y: 0, side: 1 });
    expect(pixels[0]).toBe(DIVERGING[60]);
  });

  it("paints nothing for an empty text", () => {
    expect(paint(0, [], 2)).toEqual([7, 7, 7, 7]);
  });
});
