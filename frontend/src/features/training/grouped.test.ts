import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StepMeasuredSchema } from "@/gen/lab/v1/event_pb";
import { SeriesSchema } from "@/gen/lab/v1/series_pb";
import type { ComparedCurve } from "./compared";
import { groupCurves, groupedDifference, groupedSource, spreadOf } from "./grouped";
import { StepMeans } from "./step-means";
import { StepSeries } from "./step-series";

function columns(x: number[], y: number[]) {
  return { x: Float64Array.from(x), y: Float64Array.from(y), length: x.length };
}

function curve(name: string, losses: number[]): ComparedCurve {
  const series = new StepSeries();
  losses.forEach((loss, i) =>
    series.put(create(StepMeasuredSchema, { step: i + 1, loss }), BigInt(i + 1)),
  );
  return { name: `runs/${name}`, label: name, color: "--run-0", dash: [], series };
}

const VIEW = { metric: "loss", axis: "step", smoothing: 0, lit: null } as const;
const byFirstLetter = ({ label }: ComparedCurve) => ({
  key: label[0] ?? "",
  label: label[0] ?? "",
});

describe("the spread of a group", () => {
  it("is told only where all of them have points, read between them on straight lines", () => {
    const { mean, low, high } = spreadOf([
      columns([1, 2, 3, 4], [4, 3, 2, 1]),
      columns([2, 4, 5], [5, 5, 5]),
    ]);
    expect(Array.from(mean.x)).toEqual([2, 3, 4]);
    expect(Array.from(mean.y)).toEqual([4, 3.5, 3]);
    expect(Array.from(low.y)).toEqual([3, 2, 1]);
    expect(Array.from(high.y)).toEqual([5, 5, 5]);
    expect(spreadOf([columns([1], [1]), columns([], [])]).mean.length).toBe(0);
  });

  it("holds the mean between the lowest and the highest, at every point of every member", () => {
    const member = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 5 }), (members) => {
        const lines = members.map((values) => columns([...values.keys()], values));
        const shortest = Math.min(...members.map((values) => values.length));
        const { mean, low, high } = spreadOf(lines);
        expect(mean.length).toBe(shortest);
        for (let i = 0; i < shortest; i += 1) {
          const there = members.map((values) => values[i] ?? NaN);
          expect(low.y[i]).toBe(Math.min(...there));
          expect(high.y[i]).toBe(Math.max(...there));
          const sum = there.reduce((total, value) => total + value, 0);
          expect(mean.y[i]).toBeCloseTo(sum / there.length, 6);
        }
      }),
    );
  });
});

describe("groups", () => {
  const curves = [curve("a1", [4, 2]), curve("b1", [3, 1]), curve("a2", [6, 2])];
  const groups = groupCurves(curves, byFirstLetter);

  it("are drawn as a mean over a band; who is alone is drawn as it is", () => {
    const lines = groupedSource(groups, VIEW).lines();
    expect(lines.map(({ name, mark, untold = false }) => [name, mark, untold])).toEqual([
      ["a (mean of 2)", "faint", true],
      ["a (mean of 2)", "faint", true],
      ["a (mean of 2)", "bold", false],
      ["b", "bold", false],
    ]);
    expect(Array.from(lines[2]?.columns.y ?? [])).toEqual([5, 2]);
    expect(Array.from(lines[0]?.upTo?.y ?? [])).toEqual([6, 2]);
  });

  it("follow what their runs do", () => {
    const source = groupedSource(groups, VIEW);
    source.lines();
    for (const { series } of [curves[0], curves[2]] as ComparedCurve[]) {
      series.put(create(StepMeasuredSchema, { step: 3, loss: 1 }), 3n);
    }
    expect(source.lines()[2]?.columns.length).toBe(3);
  });

  it("are made of the means of all steps where the points here are extremes", () => {
    const long = [curve("a1", [0, 9, 0, 9]), curve("a2", [1, 9, 1, 9])].map((one) => ({
      ...one,
      means: new StepMeans(),
    }));
    const source = groupedSource(groupCurves(long, byFirstLetter), VIEW);
    expect(Array.from(source.lines()[2]?.columns.y ?? [])).toEqual([0.5, 9, 0.5, 9]);
    let changes = 0;
    source.onChange(() => (changes += 1));
    long.forEach(({ means }, run) => {
      const values = [2 + run, 4 + run];
      const answer = create(SeriesSchema, { name: "loss", steps: [2, 3], values });
      means.put({ metric: "loss", from: 0, steps: 2 }, [0, 3], answer);
    });
    expect(changes).toBe(2);
    const [low, , mean] = source.lines();
    expect(Array.from(mean?.columns.x ?? [])).toEqual([2, 3]);
    expect(Array.from(mean?.columns.y ?? [])).toEqual([2.5, 4.5]);
    expect(Array.from(low?.upTo?.y ?? [])).toEqual([3, 5]);
  });

  it("are measured from the group of the baseline", () => {
    const [a, b] = groups;
    if (!a || !b) throw new Error("two groups were made");
    const lines = groupedDifference(groups, a, VIEW).lines();
    expect(lines.map(({ name }) => name)).toEqual(["b"]);
    expect(Array.from(lines[0]?.columns.y ?? []).slice(0, 2)).toEqual([-2, -1]);
  });
});
