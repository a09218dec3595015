import { create } from "@bufbuild/protobuf";
import { describe, expect, it, vi } from "vitest";
import { SeriesSchema } from "@/gen/lab/v1/series_pb";
import { cutOf, StepMeans } from "./step-means";

const answer = (steps: number[], values: number[]) =>
  create(SeriesSchema, { name: "loss", steps, values });

describe("a cut", () => {
  it("has between 512 and 1,024 means, however long the stretch, and begins where a bucket does", () => {
    for (const length of [1, 511, 512, 1_023, 1_024, 5_000, 123_456, 1_000_000]) {
      const { from, steps } = cutOf("loss", 1_000, 1_000 + length - 1);
      expect(from % steps).toBe(0);
      expect(from).toBeLessThanOrEqual(1_000);
      const means = length / steps;
      expect(means).toBeLessThan(1_024);
      if (steps > 1) expect(means).toBeGreaterThanOrEqual(512);
    }
  });
});

describe("the means of a run", () => {
  const cut = { metric: "loss", from: 0, steps: 4 } as const;

  it("are asked for in whole buckets, and then only what is new", () => {
    const means = new StepMeans();
    const first = means.missing(cut, 10);
    expect(first).toEqual([0, 7]);
    means.put(cut, [0, 7], answer([2, 6], [5, 4]));
    expect(means.missing(cut, 10)).toBeNull();
    expect(means.missing(cut, 11)).toEqual([8, 11]);
    means.put(cut, [8, 11], answer([10], [3]));
    const column = means.of("loss");
    expect(Array.from(column?.y.subarray(0, column.length) ?? [])).toEqual([5, 4, 3]);
    expect(means.of("grad_norm")).toBeUndefined();
  });

  it("are asked for anew when they are cut otherwise", () => {
    const means = new StepMeans();
    means.put(cut, [0, 7], answer([2, 6], [5, 4]));
    expect(means.missing({ ...cut, steps: 8 }, 7)).toEqual([0, 7]);
    expect(means.missing({ ...cut, metric: "grad_norm" }, 7)).toEqual([0, 7]);
    expect(means.missing({ ...cut, from: 4 }, 7)).toEqual([4, 7]);
  });

  it("are let go of when the run went back behind them, and say that they changed", () => {
    const means = new StepMeans();
    const changed = vi.fn();
    means.put(cut, [0, 7], answer([2, 6], [5, 4]));
    means.onChange(changed);
    expect(means.isBefore(7)).toBe(false);
    expect(means.isBefore(3)).toBe(true);
    means.forget();
    means.forget();
    expect(changed).toHaveBeenCalledTimes(1);
    expect(means.of("loss")).toBeUndefined();
    expect(means.missing(cut, 7)).toEqual([0, 7]);
  });
});
