import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lowerBound, nearestIndex, type Columns } from "./columns";
import {
  oddValues,
  reaching,
  traceLine,
  widened,
  xExtent,
  xScale,
  yExtent,
  yScale,
  yTicks,
  type PathSink,
} from "./geometry";
import { debiasedAverage } from "./smoothing";

const BOX = { left: 50, right: 250, top: 0, bottom: 100 };

function columns(y: number[], x = y.map((_, i) => i)): Columns {
  return { x: Float64Array.from(x), y: Float64Array.from(y), length: y.length };
}

class Recorder implements PathSink {
  readonly strokes: [number, number][][] = [];
  moveTo(x: number, y: number) {
    this.strokes.push([[x, y]]);
  }
  lineTo(x: number, y: number) {
    this.strokes.at(-1)?.push([x, y]);
  }
}

function trace(line: Columns, stretch: readonly [number, number], log = false) {
  const path = new Recorder();
  const y = yScale(yExtent([line], stretch, log), BOX, log);
  traceLine(line, stretch, xScale(stretch, BOX), y, log, path);
  return { strokes: path.strokes, y };
}

describe("finding points", () => {
  it("finds the first at or after and the nearest", () => {
    const line = columns([0, 0, 0], [10, 20, 30]);
    expect([5, 10, 11, 30, 31].map((at) => lowerBound(line, at))).toEqual([0, 0, 1, 2, 3]);
    expect([-5, 14, 16, 99].map((at) => nearestIndex(line, at))).toEqual([0, 0, 1, 2]);
    expect(nearestIndex(columns([]), 3)).toBe(-1);
  });
});

describe("extents", () => {
  it("span all lines and leave out what cannot be drawn", () => {
    const odd = columns([3, NaN, Infinity, -1, 8]);
    expect(xExtent([odd, columns([1], [9])])).toEqual([0, 9]);
    expect(yExtent([odd], [0, 9], false)).toEqual([-1, 8]);
    expect(yExtent([odd], [0, 9], true)).toEqual([3, 8]);
    expect(yExtent([odd], [1, 2], false)).toBeUndefined();
    expect(xExtent([columns([])])).toBeUndefined();
  });
});

describe("tracing", () => {
  it("keeps a spike of one step at every zoom", () => {
    const loss = Array.from({ length: 100_000 }, (_, i) => 3 + Math.sin(i) * 0.01);
    loss[54_321] = 11;
    const line = columns(loss);
    for (const stretch of [
      [0, 99_999],
      [50_000, 60_000],
      [54_300, 54_340],
    ] as const) {
      const { strokes, y } = trace(line, stretch);
      const highest = Math.min(...strokes.flat().map(([, py]) => py));
      expect(highest).toBeCloseTo(y(11), 6);
    }
  });

  it("keeps it at 1,000 random places and zooms", () => {
    const steps = 20_000;
    const wave = Float64Array.from({ length: steps }, (_, i) => 5 + Math.sin(i));
    const line = { x: Float64Array.from(wave, (_, i) => i), y: wave, length: steps };
    const whole = fc.integer({ min: 0, max: steps - 1 });
    fc.assert(
      fc.property(whole, whole, whole, fc.boolean(), (at, before, after, up) => {
        const stretch = [Math.min(before, at), Math.max(after, at)] as const;
        const usual = wave[at] ?? 0;
        wave[at] = up ? 99 : -99;
        const { strokes, y } = trace(line, stretch);
        const drawn = strokes.flat().some(([, py]) => Math.abs(py - y(up ? 99 : -99)) < 1e-6);
        wave[at] = usual;
        expect(drawn).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it("draws a bounded number of points however many there are", () => {
    const { strokes } = trace(
      columns(Array.from({ length: 50_000 }, (_, i) => (i * 7919) % 13)),
      [0, 49_999],
    );
    expect(strokes.flat().length).toBeLessThan(200 * 4 + 8);
  });

  it("breaks at NaN and infinities, and at values a log axis has no place for", () => {
    expect(trace(columns([1, 2, NaN, 3, Infinity, 4]), [0, 5]).strokes).toHaveLength(3);
    expect(trace(columns([1, 2, 0, 3]), [0, 3], true).strokes).toHaveLength(2);
    expect(trace(columns([1, 2, 0, 3]), [0, 3], false).strokes).toHaveLength(1);
  });

  it("does not fall over when there is nothing but NaN", () => {
    expect(trace(columns([NaN, NaN]), [0, 1]).strokes).toEqual([]);
  });
});

describe("scales", () => {
  it("leave headroom, but none below 0 for what cannot be negative", () => {
    const y = yScale([0.1, 10], BOX, false);
    expect(y.domain()[0]).toBe(0);
    expect(y.domain()[1]).toBeGreaterThan(10);
    expect(yScale([5, 5], BOX, false).domain()).toEqual([4.5, 5.5]);
    expect(
      yScale([5, 5], BOX, true)
        .domain()
        .every((value) => value > 0),
    ).toBe(true);
  });

  it("mark what has no height", () => {
    const line = columns([1, NaN, Infinity, -Infinity, 0]);
    const x = xScale([0, 4], BOX);
    expect(oddValues(line, [0, 4], x, false).map((odd) => odd.kind)).toEqual([
      "NaN",
      "+Inf",
      "-Inf",
    ]);
    expect(oddValues(line, [0, 4], x, true).map((odd) => odd.kind)).toContain("not above 0");
  });

  it("thin crowded log ticks to 1, 2 and 5", () => {
    const ticks = yTicks(yScale([0.001, 1000], BOX, true), true, 5);
    expect(ticks.length).toBeGreaterThan(2);
    expect(ticks.every((tick) => /^[125]e/.test(tick.toExponential(0)))).toBe(true);
  });
});

describe("the debiased average", () => {
  it("starts at the first value instead of near 0", () => {
    for (const value of debiasedAverage(columns([4, 4, 4]), 0.9).y)
      expect(value).toBeCloseTo(4, 12);
  });

  it("is the weighted mean it claims to be", () => {
    const { y } = debiasedAverage(columns([1, 2, 4]), 0.5);
    expect(y[2]).toBeCloseTo((1 * 0.25 + 2 * 0.5 + 4) / (0.25 + 0.5 + 1), 12);
  });

  it("leaves NaN out and goes on after it", () => {
    const { y } = debiasedAverage(columns([2, NaN, 2]), 0.9);
    expect(y[1]).toBeNaN();
    expect(y[2]).toBeCloseTo(2, 12);
  });

  it("weighs a mean as the steps it is of", () => {
    const [a, b] = [columns([3, 5]), columns([3, 3, 3, 5, 5, 5])];
    const means = debiasedAverage(a, 0.9, { stepsEach: 3 }).y;
    const whole = debiasedAverage(b, 0.9).y;
    expect(means[0]).toBeCloseTo(whole[2] ?? NaN, 12);
    expect(means[1]).toBeCloseTo(whole[5] ?? NaN, 12);
    const goingOn = debiasedAverage(a, 0.9, { before: columns([3, 3, 3]), stepsEach: 3 }).y;
    const along = debiasedAverage(columns([3, 3, 3, 3, 3, 3, 5, 5, 5]), 0.9).y;
    expect(goingOn[1]).toBeCloseTo(along[8] ?? NaN, 12);
  });

  it("with weight 0 is the data", () => {
    expect(Array.from(debiasedAverage(columns([3, 1, 2]), 0).y)).toEqual([3, 1, 2]);
  });
});

describe("the stretch of everything", () => {
  it("reaches to marks behind the last point", () => {
    expect(reaching([0, 1], [{ x: 2 }, { x: 3 }, { x: NaN }])).toEqual([0, 3]);
    expect(reaching([5, 9], [{ x: 6 }])).toEqual([5, 9]);
    expect(reaching(undefined, [{ x: 6 }])).toBeUndefined();
  });
});

describe("a least height", () => {
  it("is kept around the same middle, and changes nothing that is higher", () => {
    const [low, high] = widened([10.84, 10.86], 0.2) ?? [];
    expect(low).toBeCloseTo(10.75);
    expect(high).toBeCloseTo(10.95);
    expect(widened([2, 11], 0.2)).toEqual([2, 11]);
    expect(widened(undefined, 0.2)).toBeUndefined();
  });
});
