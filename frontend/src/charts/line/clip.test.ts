import { describe, expect, it } from "vitest";
import { clippedExtent, outliers } from "./clip";
import type { Columns } from "./columns";
import { xScale, yScale } from "./geometry";

const BOX = { left: 0, right: 100, top: 0, bottom: 100 };

function columns(y: number[]): Columns {
  // longer arrays than points in use, as columns of live series are
  const x = Float64Array.from([...y.keys(), 999, 999]);
  return { x, y: Float64Array.from([...y, 1e9, -1e9]), length: y.length };
}

const ramp = columns(Array.from({ length: 101 }, (_, i) => i));

describe("clipping to percentiles", () => {
  it("takes the 5th and the 95th of what is in sight", () => {
    expect(clippedExtent([ramp], [0, 100], false)).toEqual([5, 95]);
    expect(clippedExtent([ramp], [0, 20], false)).toEqual([1, 19]);
  });

  it("keeps the middle of every line, however different they are", () => {
    const far = columns(Array.from({ length: 101 }, () => 500));
    expect(clippedExtent([ramp, far], [0, 100], false)).toEqual([5, 500]);
  });

  it("leaves out what has no height", () => {
    expect(clippedExtent([columns([NaN, 3, Infinity, -2])], [0, 9], true)).toEqual([3, 3]);
    expect(clippedExtent([columns([NaN])], [0, 9], false)).toBeUndefined();
  });

  it("marks each pixel with an outlier once per side, and nothing else", () => {
    const line = columns([50, 999, 998, 50, -999, NaN, 50]);
    const x = xScale([0, 6], BOX);
    const y = yScale([0, 100], BOX, false);
    expect(outliers(line, [0, 6], x, y)).toEqual([
      { px: 17, above: true },
      { px: 33, above: true },
      { px: 67, above: false },
    ]);
    expect(outliers(ramp, [0, 100], xScale([0, 100], BOX), yScale([0, 100], BOX, false))).toEqual(
      [],
    );
  });
});
