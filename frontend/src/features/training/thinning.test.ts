import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { create } from "@bufbuild/protobuf";
import { StepMeasuredSchema } from "@/gen/lab/v1/event_pb";
import { Column } from "./column";
import { METRICS, MOST_POINTS, StepSeries } from "./step-series";
import { thin } from "./thinning";

function column(values: readonly number[]): Column {
  const made = new Column();
  values.forEach((value, i) => made.put(i + 1, value));
  return made;
}

function points({ x, y, length }: Column): [number, number][] {
  return Array.from({ length }, (_, i) => [x[i] ?? NaN, y[i] ?? NaN]);
}

const value = fc.oneof(
  { weight: 20, arbitrary: fc.double({ min: -100, max: 100, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity) },
);

describe("thinning", () => {
  it("keeps measured points only, in order, with both ends, every odd value and the extremes of every bucket", () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 40 }),
        (values, buckets) => {
          const thinned = column(values);
          thin(thinned, buckets, null);
          const left = points(thinned);
          const steps = left.map(([step]) => step);
          expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
          for (const [step, kept] of left) expect(kept).toBe(values[step - 1]);
          expect(steps[0]).toBe(1);
          expect(steps.at(-1)).toBe(values.length);
          const odd = values.filter((one) => !Number.isFinite(one)).length;
          expect(left.filter(([, one]) => !Number.isFinite(one))).toHaveLength(odd);
          const width = values.length / buckets;
          for (let bucket = 0; bucket < buckets; bucket += 1) {
            const inside = (i: number) => Math.floor(i / width) === bucket;
            const was = values.filter((one, i) => inside(i) && Number.isFinite(one));
            const is = left.flatMap(([step, one]) =>
              inside(step - 1) && Number.isFinite(one) ? [one] : [],
            );
            expect(Math.min(...is)).toBe(Math.min(...was));
            expect(Math.max(...is)).toBe(Math.max(...was));
          }
        },
      ),
    );
  });

  it("spares the steps that someone looks at", () => {
    const thinned = column(Array.from({ length: 1000 }, (_, i) => Math.sin(i)));
    thin(thinned, 10, [401, 500]);
    const within = points(thinned).filter(([step]) => step > 400 && step <= 500);
    expect(within).toHaveLength(100);
    expect(thinned.length).toBeLessThan(100 + 2 * 11 + 2);
  });
});

describe("a series that grows for hours", () => {
  it("never holds more than it may, and shows a spike wherever it was", () => {
    const series = new StepSeries();
    const steps = 6 * MOST_POINTS;
    const spikes = [1_000, 33_333, steps - 3];
    for (let step = 1; step <= steps; step += 1) {
      const loss = spikes.includes(step) ? 50 + step / 1e6 : 3 + Math.sin(step);
      series.put(create(StepMeasuredSchema, { step, loss }), BigInt(step));
      if (step % 1_000 === 0) expect(series.column("loss").length).toBeLessThanOrEqual(MOST_POINTS);
    }
    expect(series.column("loss").x).toHaveLength(MOST_POINTS); // nor does its memory grow
    expect(series.complete).toBe(false); // so a zoom asks the server
    expect(series.step).toBe(steps);
    const loss = points(series.column("loss"));
    for (const spike of spikes) expect(loss).toContainEqual([spike, 50 + spike / 1e6]);
  });

  it("holds as little of a metric that thins worse than the loss", () => {
    const series = new StepSeries();
    for (let step = 1; step <= 4 * MOST_POINTS; step += 1) {
      const measured = { step, loss: 3, gradNorm: Math.sin(step) };
      series.put(create(StepMeasuredSchema, measured), BigInt(step));
    }
    for (const metric of METRICS) {
      expect(series.column(metric).x.length).toBeLessThanOrEqual(MOST_POINTS);
    }
  });

  it("leaves the stretch in sight as fine as it was", () => {
    const series = new StepSeries();
    series.lookAt([100, 5_000]);
    for (let step = 1; step <= 4 * MOST_POINTS; step += 1) {
      series.put(create(StepMeasuredSchema, { step, loss: Math.sin(step) }), BigInt(step));
    }
    const seen = points(series.column("loss")).filter(([step]) => step >= 100 && step <= 5_000);
    expect(seen).toHaveLength(4_901);
  });
});
