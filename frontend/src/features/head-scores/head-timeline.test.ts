import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ProbeRecordSchema } from "@/gen/lab/v1/recording_pb";
import { changeOf, columnAt, fastestChanging, headTimeline, labelOf } from "./head-timeline";

const behaviours = ["previous", "induction"];

/** One layer of two heads; scores by head, then behaviour. */
function record(step: number, synthetic: number[], natural: number[] = [0, 0, 0, 0]) {
  const scores = (corrected: number[]) => ({
    behaviours,
    corrected,
    raw: corrected.map((score) => score / 2),
    sinkFree: corrected,
    entropy: [0.5, 0.25],
    distance: [1, 2],
  });
  return create(ProbeRecordSchema, {
    step,
    layers: 1,
    heads: 2,
    synthetic: scores(synthetic),
    natural: scores(natural),
  });
}

const RECORDS = [record(0, [0, 0, 0, 0]), record(8, [0.5, 0, 0.125, 0.75])];

describe("headTimeline", () => {
  it("takes the score of a behaviour by head and step", () => {
    const { scores, steps } = headTimeline(RECORDS, {
      probe: "synthetic",
      measure: "induction",
      variant: "raw",
    });
    expect(steps).toEqual([0, 8]);
    expect([...scores]).toEqual([0, 0, 0, 0.375]);
  });
  it("takes entropy and distance, which have no variant", () => {
    const options = { probe: "natural", measure: "distance", variant: "corrected" } as const;
    expect([...headTimeline(RECORDS, options).scores]).toEqual([1, 1, 2, 2]);
  });
  it("is NaN for a behaviour that was not measured", () => {
    const options = { probe: "natural", measure: "sink", variant: "corrected" } as const;
    expect([...headTimeline(RECORDS, options).scores]).toEqual([NaN, NaN, NaN, NaN]);
  });
});

describe("labelOf", () => {
  it("names a head that both probes bear out", () => {
    expect(labelOf(record(8, [0.5, 0, 0, 0], [0.4, 0, 0, 0]), 0)).toEqual({
      name: "previous",
      both: true,
    });
  });
  it("says when only random tokens bear it out", () => {
    expect(labelOf(record(8, [0, 0, 0.1, 0.75]), 1)).toEqual({ name: "induction", both: false });
  });
  it("gives no name without evidence", () => {
    expect(labelOf(record(8, [0.39, 0.2, 0, 0]), 0)).toBeNull();
    expect(labelOf(record(8, [NaN, NaN, 0, 0]), 0)).toBeNull();
    expect(labelOf(create(ProbeRecordSchema, {}), 0)).toBeNull();
  });
});

it("ranks heads by how much they changed", () => {
  const options = { probe: "synthetic", measure: "induction", variant: "corrected" } as const;
  expect(fastestChanging(headTimeline(RECORDS, options), 5)).toEqual([1, 0]);
  expect(fastestChanging(headTimeline([], options), 5)).toEqual([]);
});

it("finds the record of a place, and tells what changed between two", () => {
  expect([null, 0, 7, 8, 900].map((at) => columnAt(RECORDS, at))).toEqual([1, 0, 0, 1, 1]);
  expect(columnAt(RECORDS.slice(1), 3)).toBe(-1);
  const options = { probe: "synthetic", measure: "induction", variant: "corrected" } as const;
  const timeline = headTimeline(RECORDS, options);
  expect([...changeOf(timeline, 0, 1)]).toEqual([0, 0.75]);
  expect([...changeOf(timeline, 1, 0)]).toEqual([0, -0.75]);
  expect([...changeOf(timeline, -1, 0)]).toEqual([NaN, NaN]);
});
