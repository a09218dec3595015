import { describe, expect, it } from "vitest";
import {
  between,
  extentOf,
  fitted,
  nearestPoint,
  pointTowards,
  toPoint,
  toScreen,
  zoomed,
} from "./scatter-geometry";

const SIZE = { width: 400, height: 300 };
const points = Float32Array.of(0, 0, 2, 0, 0, -3, 5, 5);

describe("the view", () => {
  it("shows the farthest points and keeps both axes alike", () => {
    expect(extentOf(points, Float32Array.of(-7, 1))).toEqual({ x: 7, y: 5 });
    const view = fitted({ x: 5, y: 5 }, SIZE);
    const corner = toScreen(view, SIZE, { x: 5, y: 5 });
    expect(corner.y).toBeCloseTo(16);
    expect(corner.x - 200).toBeCloseTo(150 - corner.y);
    expect(toScreen(fitted({ x: 50, y: 5 }, SIZE), SIZE, { x: 50, y: 0 }).x).toBeCloseTo(384);
    expect(Number.isFinite(fitted(extentOf(), SIZE).scale)).toBe(true);
  });

  it("goes to the screen and back", () => {
    const view = { x: 1, y: -2, scale: 7 };
    const spot = toScreen(view, SIZE, { x: 3, y: 4 });
    expect(toPoint(view, SIZE, spot)).toEqual({ x: 3, y: 4 });
  });

  it("zooms to a box and not to a click", () => {
    const view = { x: 0, y: 0, scale: 10 };
    const box = [
      { x: 200, y: 150 },
      { x: 300, y: 75 },
    ] as const;
    expect(zoomed(view, SIZE, box)).toEqual({ x: 5, y: 3.75, scale: 40 });
    expect(zoomed(view, SIZE, [box[0], { x: 203, y: 152 }])).toBe(view);
  });
});

describe("points", () => {
  it("are found near a place, not beyond reach", () => {
    expect(nearestPoint(points, { x: 1.8, y: 0.1 }, { within: 1 })).toBe(1);
    expect(nearestPoint(points, { x: 10, y: 10 }, { within: 1 })).toBe(null);
    expect(nearestPoint(new Float32Array(), { x: 0, y: 0 }, { within: 9 })).toBe(null);
  });

  it("are walked by arrow keys", () => {
    expect(pointTowards(points, 0, "ArrowRight")).toBe(1);
    expect(pointTowards(points, 0, "ArrowDown")).toBe(2);
    expect(pointTowards(points, 0, "ArrowLeft")).toBe(null);
    expect(pointTowards(points, 0, "Enter")).toBe(null);
  });

  it("move in a straight line", () => {
    expect([...between(Float32Array.of(0, 4), Float32Array.of(2, 0), 0.5)]).toEqual([1, 2]);
  });
});
