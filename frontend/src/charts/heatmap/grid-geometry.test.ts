import { describe, expect, it } from "vitest";
import { cornerOf, headAt, layoutGrid, neighbour, neighbourCell } from "./grid-geometry";

describe("layoutGrid", () => {
  it("fits its width with room to spare for the numbers", () => {
    const grid = layoutGrid(6, 5, { width: 300 });
    expect(grid.width).toBeLessThanOrEqual(300);
    expect(grid.side).toBe(52);
    expect(grid.height).toBe(16 + 6 * 52 + 5 * 4 + 2);
  });

  it("stops at a size that is still a picture", () => {
    expect(layoutGrid(12, 12, { width: 60 }).side).toBe(12);
    expect(layoutGrid(1, 1, { width: 2000 }).side).toBe(96);
  });
});

describe("headAt", () => {
  const grid = layoutGrid(6, 5, { width: 300 });

  it("finds each thumbnail by its corners", () => {
    for (let layer = 0; layer < 6; layer++) {
      for (let head = 0; head < 5; head++) {
        const { x, y } = cornerOf(grid, { layer, head });
        expect(headAt(grid, { x, y })).toEqual({ layer, head });
        expect(headAt(grid, { x: x + grid.side - 0.5, y: y + grid.side - 0.5 })).toEqual({
          layer,
          head,
        });
        expect(headAt(grid, { x: x + grid.side + 1, y })).toBeNull();
      }
    }
  });

  it("finds nothing on the numbers and past the last", () => {
    expect(headAt(grid, { x: 3, y: 40 })).toBeNull();
    expect(headAt(grid, { x: grid.width + 5, y: 40 })).toBeNull();
    expect(headAt(grid, { x: 40, y: grid.height + 5 })).toBeNull();
  });
});

describe("neighbour", () => {
  const size = { layers: 6, heads: 5 };

  it("moves by one and stays at the edges", () => {
    expect(neighbour({ layer: 2, head: 2 }, "ArrowUp", size)).toEqual({ layer: 1, head: 2 });
    expect(neighbour({ layer: 2, head: 2 }, "ArrowRight", size)).toEqual({ layer: 2, head: 3 });
    expect(neighbour({ layer: 5, head: 4 }, "ArrowDown", size)).toEqual({ layer: 5, head: 4 });
    expect(neighbour({ layer: 0, head: 0 }, "ArrowLeft", size)).toEqual({ layer: 0, head: 0 });
  });

  it("ignores other keys", () => {
    expect(neighbour({ layer: 0, head: 0 }, "a", size)).toBeNull();
  });
});

describe("neighbourCell", () => {
  const size = { rows: 2, columns: 3 };

  it("enters at the first cell, moves by one and stays at the edges", () => {
    expect(neighbourCell(null, "ArrowDown", size)).toEqual({ row: 0, column: 0 });
    expect(neighbourCell({ row: 0, column: 0 }, "ArrowRight", size)).toEqual({ row: 0, column: 1 });
    expect(neighbourCell({ row: 1, column: 2 }, "ArrowDown", size)).toEqual({ row: 1, column: 2 });
  });

  it("ignores other keys and grids without cells", () => {
    expect(neighbourCell(null, "Enter", size)).toBeNull();
    expect(neighbourCell(null, "ArrowDown", { rows: 0, columns: 3 })).toBeNull();
  });
});
