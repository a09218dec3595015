import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Trace } from "./trace";

type Place = readonly [x: number, y: number];

interface Bar {
  left: number;
  top: number;
  width: number;
  bottom: number;
}

function traced(pieces: readonly (readonly Place[])[]): Trace {
  const trace = new Trace();
  for (const piece of pieces) {
    piece.forEach(([x, y], i) => (i === 0 ? trace.moveTo(x, y) : trace.lineTo(x, y)));
  }
  return trace;
}

function barsOf(trace: Trace, thickness: number): Bar[] {
  const bars: Bar[] = [];
  trace.fillColumns(
    {
      fillRect: (left, top, width, height) => bars.push({ left, top, width, bottom: top + height }),
    },
    thickness,
  );
  return bars;
}

const height = fc.double({ min: -200, max: 200, noNaN: true });
const piece = fc
  .array(fc.tuple(fc.double({ min: 0, max: 30, noNaN: true }), height), {
    minLength: 1,
    maxLength: 40,
  })
  .map((places) => places.sort(([a], [b]) => a - b) as Place[]);

describe("a trace", () => {
  it("fills each column of pixels once, and every place of the line lies in a bar", () => {
    fc.assert(
      fc.property(piece, (places) => {
        const bars = barsOf(traced([places]), 0);
        const columns = bars.map(({ left }) => left);
        expect(columns).toEqual([...new Set(columns)].sort((a, b) => a - b));
        const at = (x: number) => bars.find(({ left }) => left === Math.floor(x));
        places.forEach(([x, y], i) => {
          const [toX, toY] = places[i + 1] ?? [x, y];
          for (const share of [0, 0.25, 0.5, 0.75]) {
            const bar = at(x + share * (toX - x));
            const place = y + share * (toY - y);
            expect(bar?.top).toBeLessThanOrEqual(place + 1e-6);
            expect(bar?.bottom).toBeGreaterThanOrEqual(place - 1e-6);
          }
        });
        const heights = places.map(([, y]) => y);
        for (const bar of bars) {
          expect(bar.top).toBeGreaterThanOrEqual(Math.min(...heights) - 1e-6);
          expect(bar.bottom).toBeLessThanOrEqual(Math.max(...heights) + 1e-6);
        }
      }),
    );
  });

  it("leaves gaps where the line has them, and is as thick as asked", () => {
    const gap = traced([
      [
        [0, 5],
        [1.5, 5],
      ],
      [[8, 9]],
    ]);
    expect(barsOf(gap, 2)).toEqual([
      { left: 0, top: 4, width: 1, bottom: 6 },
      { left: 1, top: 4, width: 1, bottom: 6 },
      { left: 8, top: 8, width: 1, bottom: 10 },
    ]);
  });

  it("tells noise from a curve, and replays what was traced", () => {
    const curve = traced([Array.from({ length: 100 }, (_, x) => [x, 20 * Math.sin(x / 20)])]);
    expect(curve.noisy).toBe(false);
    const noise = traced([Array.from({ length: 100 }, (_, x) => [x, (x % 2) * 9])]);
    expect(noise.noisy).toBe(true);
    const said: string[] = [];
    const path = {
      moveTo: (x: number, y: number) => said.push(`M${x} ${y}`),
      lineTo: (x: number, y: number) => said.push(`L${x} ${y}`),
    };
    const lines = traced([
      [
        [0, 1],
        [2, 3],
      ],
      [[4, 5]],
    ]);
    lines.replay(path);
    expect(said).toEqual(["M0 1", "L2 3", "M4 5"]);
    expect(lines.begin().noisy).toBe(false);
    said.length = 0;
    lines.replay(path);
    expect(said).toEqual([]);
  });
});
