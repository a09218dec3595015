import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawn, EMPTY_SKETCH, PLACES, points, predictionOf, stepOf } from "./sketch";

const place = fc.integer({ min: 0, max: PLACES - 1 });
const loss = fc.double({ min: 0, max: 12, noNaN: true });

describe("a sketched loss", () => {
  it("leaves no gap between two places of one stroke", () => {
    fc.assert(
      fc.property(place, loss, place, loss, (from, one, to, other) => {
        const told = points(drawn(EMPTY_SKETCH, [from, one], [to, other])).map(([at]) => at);
        const expected = Math.abs(to - from) + 1;
        expect(told).toHaveLength(expected);
        expect(Math.min(...told)).toBe(Math.min(from, to));
      }),
    );
  });

  it("goes from the first step to the last", () => {
    expect(stepOf(0, 600)).toBe(1);
    expect(stepOf(PLACES - 1, 600)).toBe(600);
  });

  it("is kept with steps that rise, also in runs shorter than it has places", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 100_000 }), (steps) => {
        const all = drawn(EMPTY_SKETCH, [0, 10], [PLACES - 1, 3]);
        const told = predictionOf(all, steps);
        const kept = told?.steps ?? [];
        expect(kept.length).toBe(told?.losses.length);
        expect(kept.every((step, i) => i === 0 || step > (kept[i - 1] ?? step))).toBe(true);
      }),
    );
  });

  it("is nothing before there is a line", () => {
    expect(predictionOf(EMPTY_SKETCH, 100)).toBeUndefined();
    expect(predictionOf(drawn(EMPTY_SKETCH, [3, 1], [3, 1]), 100)).toBeUndefined();
  });
});
