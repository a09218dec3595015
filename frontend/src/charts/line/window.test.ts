import { describe, expect, it, vi } from "vitest";
import { LinkedWindow, panned, zoomed } from "./window";

const ALL = [0, 100] as const;

describe("zooming", () => {
  it("keeps the place under the cursor where it is", () => {
    const next = zoomed([20, 60], 30, 0.5, ALL);
    expect(next).toEqual([25, 45]);
  });

  it("follows everything again when zoomed out past the ends", () => {
    expect(zoomed([10, 90], 50, 2, ALL)).toBeNull();
  });

  it("stays inside when zooming out at an end", () => {
    expect(zoomed([0, 20], 1, 2, ALL)).toEqual([0, 40]);
    expect(zoomed([80, 100], 99, 2, ALL)).toEqual([60, 100]);
  });

  it("never zooms to nothing", () => {
    let shown: readonly [number, number] = ALL;
    for (let i = 0; i < 200; i += 1) shown = zoomed(shown, 50, 0.5, ALL) ?? ALL;
    expect(shown[1] - shown[0]).toBeCloseTo(0.01, 6);
  });
});

describe("panning", () => {
  it("moves and stops at the ends without changing the width", () => {
    expect(panned([20, 30], 5, ALL)).toEqual([25, 35]);
    expect(panned([20, 30], -50, ALL)).toEqual([0, 10]);
    expect(panned([20, 30], 500, ALL)).toEqual([90, 100]);
  });
});

describe("a linked window", () => {
  it("tells its charts of a move, and of the same cursor only once", () => {
    const window = new LinkedWindow();
    const listener = vi.fn();
    window.subscribe(listener);
    window.point(3);
    window.point(3);
    window.look([1, 2]);
    expect(listener).toHaveBeenCalledTimes(2);
    expect(window.get()).toEqual({ stretch: [1, 2], cursor: 3 });
  });
});
