import { expect, test, vi } from "vitest";
import { drawRail, railScale } from "./draw-rail";

const WIDTH = 1_000;

/** Where the curve behind the rail turns. */
function curve(log: boolean, steps: number[], losses: number[]): number[] {
  const xs: number[] = [];
  const context = new Proxy(
    {},
    {
      get: (_, name) =>
        name === "moveTo" || name === "lineTo" ? (x: number) => xs.push(x) : vi.fn(),
      set: () => true,
    },
  ) as CanvasRenderingContext2D;
  const loss = { x: Float64Array.from(steps), y: Float64Array.from(losses), length: steps.length };
  const newest = steps.at(-1) ?? 0;
  drawRail(context, { stops: [], flags: [], loss, newest, at: null, live: false, log }, WIDTH);
  return xs;
}

test.each([true, false])("the curve lies under the ticks of its steps, log: %s", (log) => {
  const steps = [1, 10, 100, 1_000];
  const x = railScale(1_000, WIDTH, log);
  const turns = curve(log, steps, [10, 8, 6, 4]);
  for (const step of steps) {
    expect(turns.some((at) => Math.abs(at - x(step)) < 0.01)).toBe(true);
  }
});
