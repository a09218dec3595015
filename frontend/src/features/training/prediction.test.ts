import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { StepMeasuredSchema } from "@/gen/lab/v1/event_pb";
import { LossPredictionSchema } from "@/gen/lab/v1/run_pb";
import { expectedAt, meanMiss, predicted } from "./prediction";
import { StepSeries } from "./step-series";

const sketch = create(LossPredictionSchema, { steps: [1, 11, 21], losses: [10, 5, 4] });

function seriesOf(losses: readonly number[]) {
  const series = new StepSeries();
  losses.forEach((loss, i) =>
    series.put(create(StepMeasuredSchema, { step: i + 1, loss }), BigInt(i + 1)),
  );
  return series;
}

describe("a predicted loss beside the outcome", () => {
  it("is a straight line between its points", () => {
    expect(expectedAt(sketch, 6)).toBe(7.5);
    expect(expectedAt(sketch, 11)).toBe(5);
    expect(expectedAt(sketch, 99)).toBe(4);
  });

  it("ends at the newest step", () => {
    const line = predicted(sketch, seriesOf([9, 9, 9, 9, 9, 9]), "step");
    expect([...line.x]).toEqual([1, 6]);
    expect([...line.y]).toEqual([10, 7.5]);
  });

  it("says by how many nats it was off, on average, leaving out what is no number", () => {
    expect(meanMiss(sketch, seriesOf([9, NaN, 8]))).toBe((1 + 1) / 2);
    expect(meanMiss(sketch, seriesOf([]))).toBeUndefined();
  });
});
