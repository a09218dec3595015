import { create } from "@bufbuild/protobuf";
import { describe, expect, it, vi } from "vitest";
import { fullName, speaksAt, type Line } from "@/charts/line/draw";
import { placesOfRows } from "@/charts/line/table-rows";
import { StepMeasuredSchema } from "@/gen/lab/v1/event_pb";
import { SeriesSetSchema } from "@/gen/lab/v1/series_pb";
import { forkMarkers, goingOn, inheritedFrom } from "./inherited";
import { lossSource, metricSource } from "./sources";
import { StepSeries } from "./step-series";

/** What a run recorded: its loss is its letter's number plus a hundredth per step, 100 tokens a step. */
function recorded(run: string, steps: number[], of: number, evaluated: number[] = []) {
  const values = steps.map((step) => of + step / 100);
  const series = (name: string, at: number[], values: number[]) => ({
    name,
    steps: at,
    values,
    complete: true,
  });
  return create(SeriesSetSchema, {
    run: `runs/${run}`,
    series: [
      series("loss", steps, values),
      series(
        "tokens",
        steps,
        steps.map((step) => step * 100),
      ),
      series(
        "validation_loss",
        evaluated,
        evaluated.map(() => of + 0.5),
      ),
    ],
  });
}

const PARENT = recorded("b", [5, 6, 7, 8], 2, [8]);
const GRANDPARENT = recorded("a", [1, 2, 3, 4], 1, [2, 4]);

function fork(): StepSeries {
  const own = new StepSeries();
  for (const step of [9, 10]) {
    const measured = { step, loss: 3, tokens: BigInt(step * 100) };
    own.put(create(StepMeasuredSchema, measured), BigInt(step));
  }
  return own;
}

const xs = ({ columns }: Line) => Array.from(columns.x.subarray(0, columns.length));

describe("what a fork inherits", () => {
  it("is the history of all runs before it, joined", () => {
    const { series } = inheritedFrom(8, [PARENT, GRANDPARENT]);
    const loss = series.column("loss");
    expect(Array.from(loss.x.subarray(0, loss.length))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([loss.at(4), loss.at(5)]).toEqual([1.04, 2.05]);
    const validation = series.column("validation_loss");
    expect(Array.from(validation.y.subarray(0, validation.length))).toEqual([1.5, 1.5, 2.5]);
  });

  it("has a mark at each fork, the newest first", () => {
    const marks = forkMarkers({ run: "runs/b", step: 8 }, [PARENT, GRANDPARENT]);
    expect(marks.map(({ kind, x, text }) => [kind, x, text])).toEqual([
      ["fork", 8, "fork of b at step 8"],
      ["fork", 4, "fork of a at step 4"],
    ]);
    // Also while the history is not here, and when it is gone.
    expect(forkMarkers({ run: "runs/b", step: 8 }, [])).toHaveLength(1);
  });
});

describe("a fork's chart", () => {
  const inherited = inheritedFrom(8, [PARENT, GRANDPARENT]);
  const linesAlong = (axis: "step" | "tokens") =>
    goingOn(lossSource(fork(), axis, 0), inherited, axis, (earlier) =>
      lossSource(earlier, axis, 0),
    ).lines();

  it("draws the history fainter beside the curve that goes on from it", () => {
    const lines = linesAlong("step");
    expect(lines.map((line) => [fullName(line), line.inherited ?? false])).toEqual([
      ["train", false],
      ["validation", false],
      ["train, inherited", true],
      ["validation, inherited", true],
    ]);
    expect(lines.map(xs)).toEqual([[9, 10], [], [1, 2, 3, 4, 5, 6, 7, 8], [2, 4, 8]]);
  });

  it.each([
    ["step", [3, 8, 8.2, 10]],
    ["tokens", [300, 800, 820, 1000]],
  ] as const)("tells at each place only what was there (%s)", (axis, places) => {
    const lines = linesAlong(axis).filter(({ name }) => name.startsWith("train"));
    const speakers = places.map((x) => lines.filter((line) => speaksAt(line, x)));
    expect(speakers.map((of) => of.map(fullName))).toEqual([
      ["train, inherited"],
      ["train, inherited"],
      ["train"],
      ["train"],
    ]);
  });

  it("has rows of both in its table", () => {
    expect(placesOfRows(linesAlong("step"), [1, 10], 60)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(placesOfRows(linesAlong("step"), [1, 10], 4)).toEqual([1, 8, 9, 10]);
  });

  it("is drawn anew when either side changes, until nobody looks", () => {
    const own = fork();
    const { series } = inherited;
    const source = goingOn(metricSource(own, "loss", "step", "Loss"), inherited, "step", (of) =>
      metricSource(of, "loss", "step", "Loss"),
    );
    const drawn = vi.fn();
    const stop = source.onChange(drawn);
    own.evaluated([]);
    series.evaluated([]);
    expect(drawn).toHaveBeenCalledTimes(2);
    stop();
    own.evaluated([]);
    series.evaluated([]);
    expect(drawn).toHaveBeenCalledTimes(2);
  });

  it("has a smoothed curve that goes on from the history without a jump", () => {
    const whole = new StepSeries();
    whole.merge(GRANDPARENT);
    whole.merge(PARENT);
    for (const step of [9, 10]) whole.column("loss").put(step, 3);
    const smoothedOf = (of: StepSeries, before?: StepSeries) =>
      lossSource(of, "step", 0.9, { before })
        .lines()
        .find(({ name }) => name === "train, smoothed")?.columns.y;
    const own = fork();
    expect(smoothedOf(own, inherited.series)).toEqual(smoothedOf(whole)?.slice(8, 10));
    expect(smoothedOf(own)).not.toEqual(smoothedOf(own, inherited.series));
  });

  it("is that of any run when nothing is inherited", () => {
    const own = lossSource(fork(), "step", 0);
    expect(goingOn(own, undefined, "step", () => own)).toBe(own);
  });
});
