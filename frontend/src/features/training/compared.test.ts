import { create } from "@bufbuild/protobuf";
import { describe, expect, it, vi } from "vitest";
import { StepMeasuredSchema } from "@/gen/lab/v1/event_pb";
import { comparedSource, differenceSource, type ComparedCurve } from "./compared";
import { difference } from "./difference";
import { StepSeries } from "./step-series";

function columns(x: number[], y: number[]) {
  return { x: Float64Array.from(x), y: Float64Array.from(y), length: x.length };
}

function curve(name: string, losses: number[]): ComparedCurve {
  const series = new StepSeries();
  losses.forEach((loss, i) => put(series, i + 1, loss));
  return { name: `runs/${name}`, label: name, color: "--run-0", dash: [], series };
}

function put(series: StepSeries, step: number, loss: number) {
  const tokens = BigInt(step * 10);
  series.put(create(StepMeasuredSchema, { step, loss, tokens }), BigInt(step));
}

const VIEW = { metric: "loss", axis: "step", smoothing: 0, lit: null } as const;

describe("a difference", () => {
  it("is taken at the curve's points, the baseline read between its own", () => {
    const apart = difference(columns([1, 2, 3], [5, 6, 9]), columns([1, 3], [4, 8]));
    expect(Array.from(apart.x.subarray(0, apart.length))).toEqual([1, 2, 3]);
    expect(Array.from(apart.y.subarray(0, apart.length))).toEqual([1, 0, 1]);
  });

  it("is not guessed beyond the ends of the baseline", () => {
    const apart = difference(columns([1, 2, 3, 4], [1, 1, 1, 1]), columns([2, 3], [1, 1]));
    expect(Array.from(apart.x.subarray(0, apart.length))).toEqual([2, 3]);
    expect(difference(columns([1], [1]), columns([], [])).length).toBe(0);
  });

  it("is NaN where either is", () => {
    const apart = difference(columns([1, 2], [NaN, 1]), columns([1, 2], [1, NaN]));
    expect(Array.from(apart.y)).toEqual([NaN, NaN]);
  });
});

describe("compared curves", () => {
  it("are drawn raw when nothing is smoothed, else raw faint and untold below the average", () => {
    const curves = [curve("a", [3, 2]), curve("b", [3, 1])];
    expect(
      comparedSource(curves, VIEW)
        .lines()
        .map(({ name, mark }) => [name, mark]),
    ).toEqual([
      ["a", "bold"],
      ["b", "bold"],
    ]);
    const lines = comparedSource(curves, { ...VIEW, smoothing: 0.5 }).lines();
    expect(lines.map(({ mark, untold }) => [mark, untold ?? false])).toEqual([
      ["faint", true],
      ["bold", false],
      ["faint", true],
      ["bold", false],
    ]);
  });

  it("become pale beside the one that is looked at", () => {
    const curves = [curve("a", [3]), curve("b", [3])];
    const lines = comparedSource(curves, { ...VIEW, lit: "runs/b" }).lines();
    expect(lines.map(({ name, pale }) => [name, pale])).toEqual([
      ["a", true],
      ["b", false],
    ]);
  });

  it("lie along tokens when asked to", () => {
    const [line] = comparedSource([curve("a", [3, 2])], { ...VIEW, axis: "tokens" }).lines();
    expect(Array.from(line?.columns.x ?? [])).toEqual([10, 20]);
  });

  it("are measured from the baseline, which is not drawn", () => {
    const base = curve("a", [3, 2]);
    const lines = differenceSource([base, curve("b", [4, 2.5])], base, VIEW).lines();
    expect(lines.map(({ name }) => name)).toEqual(["b"]);
    expect(Array.from(lines[0]?.columns.y ?? [])).toEqual([1, 0.5]);
  });

  it("follow every run, the average with them, and can be left", () => {
    const [a, b] = [curve("a", [4]), curve("b", [4])];
    const source = comparedSource([a, b], { ...VIEW, smoothing: 0.5 });
    const listener = vi.fn();
    const stop = source.onChange(listener);
    expect(source.lines()[3]?.columns.length).toBe(1);
    put(b.series, 2, 1);
    expect(listener).toHaveBeenCalledTimes(1);
    expect(source.lines()[3]?.columns.y[1]).toBeCloseTo((4 * 0.25 + 1 * 0.5) / 0.75, 12);
    stop();
    put(a.series, 2, 1);
    expect(listener).toHaveBeenCalledTimes(1);
  });
});
