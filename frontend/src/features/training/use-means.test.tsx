import { create } from "@bufbuild/protobuf";
import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { querySeries } from "@/api/runs";
import { LinkedWindow } from "@/charts/line/window";
import { StepMeasuredSchema } from "@/gen/lab/v1/event_pb";
import { SeriesSetSchema } from "@/gen/lab/v1/series_pb";
import { StepSeries } from "./step-series";
import { useMeans } from "./use-means";

vi.mock("@/api/runs", () => ({ querySeries: vi.fn() }));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const LAST = 10_240; // so that a mean is one of 16 steps

/** Follows a run that is long; `asked` are the stretches that the server was asked for since. */
async function follow(wanted = true) {
  const ask = vi.mocked(querySeries).mockReset();
  ask.mockImplementation((_run, { stepFrom = 0, stepTo = 0, meanOfSteps = 1 }) => {
    const steps: number[] = [];
    for (let at = stepFrom; at + meanOfSteps - 1 <= stepTo; at += meanOfSteps) steps.push(at);
    const series = [{ name: "loss", steps, values: steps.map((step) => 10_000 - step) }];
    return Promise.resolve(create(SeriesSetSchema, { series }));
  });
  const series = new StepSeries();
  const window = new LinkedWindow();
  let sequence = 0n;
  const put = (step: number) => {
    sequence += 1n;
    series.put(create(StepMeasuredSchema, { step, loss: 1 }), sequence);
  };
  put(LAST);
  const hook = renderHook(
    (props: { wanted: boolean }) =>
      useMeans("runs/a", series, window, { metric: "loss", axis: "step", ...props }),
    { initialProps: { wanted } },
  );
  const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
  await pass(0);
  const asked = () => {
    const stretches = ask.mock.calls.map(([, range]) => [
      range.stepFrom,
      range.stepTo,
      range.meanOfSteps,
    ]);
    ask.mockClear();
    return stretches;
  };
  return { put, window, hook, pass, asked, means: () => hook.result.current.of("loss") };
}

test("asks for whole buckets of all steps, then every two seconds for what is new", async () => {
  const { put, pass, asked, means } = await follow();
  expect(asked()).toEqual([[0, LAST - 1, 16]]);
  expect(means()?.length).toBe(LAST / 16);
  expect(means()?.stepsEach).toBe(16);
  for (let step = LAST + 1; step < LAST + 40; step += 1) {
    put(step);
    await pass(10);
  }
  expect(asked()).toEqual([]);
  await pass(2_000);
  expect(asked()).toEqual([[LAST, LAST + 31, 16]]);
  expect(means()?.length).toBe(LAST / 16 + 2);
});

test("asks closer for a stretch that is zoomed into, once, with a run-up before it", async () => {
  const { window, pass, asked, means } = await follow();
  asked();
  window.look([4_000, 5_000]);
  window.look([5_000, 6_000]);
  window.point(5_500);
  await pass(159);
  expect(asked()).toEqual([]);
  await pass(1);
  expect(asked()).toEqual([[4_540, 5_999, 2]]);
  expect(means()?.x[0]).toBe(4_540);
});

test("asks nothing when nobody wants means, and lets go of those that it has", async () => {
  const { hook, pass, put, asked, means } = await follow(false);
  put(LAST + 1);
  await pass(5_000);
  expect(asked()).toEqual([]);
  hook.rerender({ wanted: true });
  await pass(0);
  expect(means()?.length).toBe(LAST / 16);
  hook.rerender({ wanted: false });
  expect(means()).toBeUndefined();
});

test("forgets what the run went back behind, and asks anew", async () => {
  const { put, pass, asked, means } = await follow();
  asked();
  put(LAST - 100);
  expect(means()).toBeUndefined();
  await pass(2_000);
  expect(asked()).toEqual([[0, LAST - 113, 16]]);
});

test("what could not be had is asked for again, and what is here stays", async () => {
  const { put, pass, asked, means } = await follow();
  asked();
  vi.mocked(querySeries).mockRejectedValueOnce(new Error("the line broke"));
  put(LAST + 16);
  await pass(2_000);
  expect(means()?.length).toBe(LAST / 16);
  await pass(2_000);
  expect(asked()).toEqual([
    [LAST, LAST + 15, 16],
    [LAST, LAST + 15, 16],
  ]);
  expect(means()?.length).toBe(LAST / 16 + 1);
});
