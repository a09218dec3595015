import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QueryHealthResponseSchema } from "@/gen/lab/v1/recording_pb";
import { gridOf, rowOrder, rowValues, shortName } from "./health-grid";
import { HEALTH_METRICS, pixelOf, pixelTable, scaleOf, type HealthMetric } from "./health-scale";

const ratio = HEALTH_METRICS[0] as HealthMetric;

function answer(values: readonly number[], firstAnomalySteps: number[]) {
  const rows = firstAnomalySteps.map((_, i) => `transformer.h.${i}.attn.c_attn.weight`);
  const steps = Array.from({ length: values.length / rows.length }, (_, i) => 10 * (i + 1));
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return create(QueryHealthResponseSchema, { rows, steps, firstAnomalySteps, values: { data } });
}

describe("recorded health", () => {
  const grid = gridOf(answer([1, 2, 3, 4, 5, NaN], [0, 20, 10]));

  it("is a grid of rows and steps", () => {
    expect([...rowValues(grid, 1)]).toEqual([3, 4]);
    expect(rowValues(grid, 2)[1]).toBeNaN();
    expect(shortName(grid.rows[2] ?? "")).toBe("2 attn.c_attn");
    expect(shortName("layer 3")).toBe("layer 3");
  });

  it("is refused when numbers are missing", () => {
    const short = answer([1, 2, 3, 4], [0, 0]);
    short.steps.push(99);
    expect(() => gridOf(short)).toThrow("bytes");
  });

  it("can be ordered by what broke first; what never did comes last, in its own order", () => {
    expect(rowOrder(grid, false)).toEqual([0, 1, 2]);
    expect(rowOrder(grid, true)).toEqual([2, 1, 0]);
  });
});

describe("the colour of a value", () => {
  it("has the healthy ratio in the middle, whatever was measured", () => {
    const scale = scaleOf(ratio, Float32Array.of(0.5, 0.9));
    expect(scale.share(1e-3)).toBeCloseTo(0.5);
    expect(scale.share(1e-5)).toBeCloseTo(0);
    expect(scale.share(1e-1)).toBeCloseTo(1);
  });

  it("rises with the value, and nothing is no colour", () => {
    const value = fc.float({ min: Math.fround(1e-20), max: Math.fround(1e20), noNaN: true });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const scale = scaleOf({ ...ratio, middle: undefined }, Float32Array.of(a, b));
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(scale.share(low)).toBeLessThanOrEqual(scale.share(high));
      }),
    );
    const scale = scaleOf(ratio, new Float32Array(0));
    expect(pixelOf(pixelTable(scale), scale.share(NaN))).toBe(0);
    expect(pixelOf(pixelTable(scale), scale.share(0))).toBe(0);
  });
});
