import { create } from "@bufbuild/protobuf";
import { describe, expect, it, vi } from "vitest";
import { StepMeasuredSchema } from "@/gen/lab/v1/event_pb";
import { SeriesSetSchema } from "@/gen/lab/v1/series_pb";
import { alongAxis, stepAt } from "./axis";
import { Column } from "./column";
import { StepSeries } from "./step-series";

/** A small generator, so that a failing case can be run again by its seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function points(column: Column): [number, number][] {
  return Array.from({ length: column.length }, (_, i) => [column.x[i] ?? NaN, column.y[i] ?? NaN]);
}

function measured(step: number, loss: number) {
  return create(StepMeasuredSchema, {
    step,
    loss,
    tokens: BigInt(step * 100),
    elapsedSecs: step * 0.5,
    memoryBytes: 5n,
    gradNorm: loss / 2,
  });
}

describe("a column", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "holds the newest value of each step in order, whatever the order, doubles and gaps (seed %i)",
    (seed) => {
      const random = seeded(seed);
      const column = new Column();
      const truth = new Map<number, number>();
      for (let i = 0; i < 1500; i += 1) {
        const step = Math.floor(random() * 700);
        const value = random();
        column.put(step, value);
        truth.set(step, value);
      }
      expect(points(column)).toEqual([...truth].sort(([a], [b]) => a - b));
    },
  );

  it("merges a block over what is there", () => {
    const column = new Column();
    column.merge([1, 5, 9], [10, 50, 90]);
    column.merge([4, 5, 6], [40, 51, 60]);
    expect(points(column)).toEqual([
      [1, 10],
      [4, 40],
      [5, 51],
      [6, 60],
      [9, 90],
    ]);
  });

  it("keeps NaN as a value", () => {
    const column = new Column();
    column.put(1, 3);
    column.put(2, NaN);
    expect(column.last).toBeNaN();
    expect(column.length).toBe(2);
  });

  it("reads between its points on a straight line", () => {
    const column = new Column();
    column.merge([10, 20], [100, 300]);
    expect([5, 10, 15, 20, 99].map((step) => column.at(step))).toEqual([100, 100, 200, 300, 300]);
    expect(new Column().at(3)).toBeNaN();
  });
});

describe("the series of a run", () => {
  it("is replaced by a snapshot and goes on with measured steps, doubles counted once", () => {
    const series = new StepSeries();
    series.put(measured(99, 1), 1n);
    series.replace(
      create(SeriesSetSchema, {
        series: [{ name: "loss", steps: [1, 2, 3], values: [5, 4, 3], complete: true }],
        lastSequence: 13n,
      }),
    );
    for (const step of [3, 4, 4, 5]) series.put(measured(step, 10 - step), BigInt(10 + step));
    expect(points(series.column("loss"))).toEqual([
      [1, 5],
      [2, 4],
      [3, 7],
      [4, 6],
      [5, 5],
    ]);
    expect(series.step).toBe(5);
    expect(series.complete).toBe(true);
  });

  it("keeps evaluations through a snapshot, and takes them whole", () => {
    const series = new StepSeries();
    series.evaluated([{ step: 50, loss: 3 }]);
    const snapshot = { series: [{ name: "loss", steps: [1], values: [5] }] };
    series.replace(create(SeriesSetSchema, snapshot));
    expect(points(series.column("validation_loss"))).toEqual([[50, 3]]);
    expect(series.complete).toBe(false);
    series.evaluated([{ step: 25, loss: 4 }]);
    expect(points(series.column("validation_loss"))).toEqual([[25, 4]]);
  });

  it("forgets the steps after the checkpoint that the run went on from", () => {
    const series = new StepSeries();
    for (let step = 1; step <= 8; step += 1) series.put(measured(step, 10 - step), BigInt(step));
    series.put(measured(6, 9), 20n);
    series.put(measured(7, 9.5), 21n);
    expect(points(series.column("loss")).slice(-3)).toEqual([
      [5, 5],
      [6, 9],
      [7, 9.5],
    ]);
    expect(series.column("tokens").lastStep).toBe(7);
  });

  it("does not take a fact told twice for a run that was set back", () => {
    const series = new StepSeries();
    for (let step = 1; step <= 8; step += 1) series.put(measured(step, 10 - step), BigInt(step));
    series.put(measured(3, 7), 3n);
    expect(series.step).toBe(8);
  });

  it("leaves out metrics of a newer server", () => {
    const series = new StepSeries();
    series.merge(
      create(SeriesSetSchema, { series: [{ name: "sparkle", steps: [1], values: [1] }] }),
    );
    expect(series.step).toBe(0);
  });

  it("tells each change once", () => {
    const series = new StepSeries();
    const listener = vi.fn();
    const stop = series.onChange(listener);
    series.put(measured(1, 2), 1n);
    expect(listener).toHaveBeenCalledTimes(1);
    stop();
    series.put(measured(2, 2), 2n);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it("lies along tokens and time as well, and back", () => {
    const series = new StepSeries();
    for (const step of [1, 2, 3, 4]) series.put(measured(step, 9 - step), BigInt(step));
    const byTokens = alongAxis(series, series.column("loss"), "tokens");
    expect(Array.from(byTokens.x)).toEqual([100, 200, 300, 400]);
    const byTime = alongAxis(series, series.column("loss"), "time");
    expect(Array.from(byTime.x)).toEqual([0.5, 1, 1.5, 2]);
    expect(stepAt(series, "tokens", 300)).toBe(3);
    series.put(measured(5, 1), 5n);
    expect(alongAxis(series, series.column("loss"), "time").length).toBe(5);
  });
});
