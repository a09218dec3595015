import { describe, expect, it } from "vitest";
import { cellAt, labelAt, layoutMap } from "./map-geometry";

const layout = layoutMap(10, { width: 476, pixelRatio: 1 });

describe("layoutMap", () => {
  it("fits the room and uses whole pixels per cell", () => {
    expect(layout.cell).toBe(39);
    expect(layout.left + layout.size).toBeLessThanOrEqual(476);
    expect(layout.labelEvery).toBe(1);
  });

  it("uses whole device pixels on a dense screen", () => {
    const dense = layoutMap(150, { width: 476, pixelRatio: 2 });
    expect(dense.cell * 2).toBe(Math.round(dense.cell * 2));
    expect(dense.cell).toBe(2.5);
  });

  it("fills the room where whole pixels would leave much of it empty", () => {
    const many = layoutMap(241, { width: 476, pixelRatio: 1 });
    expect(many.size).toBeCloseTo(399, 6);
  });

  it("shrinks below a pixel rather than growing past the panel, and thins its labels", () => {
    const long = layoutMap(1024, { width: 476, pixelRatio: 1 });
    expect(long.left + long.size).toBeLessThanOrEqual(476);
    expect(long.labelEvery * long.cell).toBeGreaterThanOrEqual(11);
  });

  it("keeps a tiny map from filling the screen", () => {
    expect(layoutMap(2, { width: 900, pixelRatio: 1 }).size).toBe(88);
  });

  it("survives an empty text", () => {
    const empty = layoutMap(0, { width: 400, pixelRatio: 1 });
    expect(empty.size).toBe(0);
    expect(cellAt(empty, { x: 100, y: 100 })).toBeNull();
  });
});

describe("cellAt", () => {
  const middle = (query: number, key: number) => ({
    x: layout.left + (key + 0.5) * layout.cell,
    y: layout.top + (query + 0.5) * layout.cell,
  });

  it("finds every unmasked cell and no masked one", () => {
    for (let query = 0; query < 10; query++) {
      for (let key = 0; key < 10; key++) {
        const found = cellAt(layout, middle(query, key));
        expect(found).toEqual(key <= query ? { query, key } : null);
      }
    }
  });

  it("finds nothing on the labels and past the edges", () => {
    expect(cellAt(layout, { x: layout.left - 1, y: layout.top + 5 })).toBeNull();
    expect(cellAt(layout, { x: layout.left, y: layout.top - 1 })).toBeNull();
    expect(cellAt(layout, middle(10, 3))).toBeNull();
  });

  it("finds the label of a query and of a key", () => {
    expect(labelAt(layout, { x: 10, y: middle(4, 0).y })).toEqual({ axis: "query", token: 4 });
    expect(labelAt(layout, { x: middle(0, 7).x, y: 10 })).toEqual({ axis: "key", token: 7 });
    expect(labelAt(layout, middle(4, 4))).toBeNull();
  });
});
