import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ProbeRecordSchema } from "@/gen/lab/v1/recording_pb";
import { acquiredAt, columnOf, lossesOf, timelineOf } from "./token-timeline";

const V = 50257; // ln V = 10.82

function record(step: number, losses: number[], ids = [5, 6, 7]) {
  const tokens = ids.map((id) => ({ id, text: `t${id}` }));
  return create(ProbeRecordSchema, { step, texts: [{ tokens, losses }] });
}

const timeline = timelineOf(
  [record(0, [10.8, 10.8]), record(4, [5, 10]), record(8, [4, 2]), record(16, [9, 2])],
  0,
);

describe("timelineOf", () => {
  it("puts the loss of each token but the first in its row", () => {
    expect(timeline.steps).toEqual([0, 4, 8, 16]);
    expect([...lossesOf(timeline, 0)]).toEqual([NaN, NaN, NaN, NaN]);
    expect([...lossesOf(timeline, 2)].map((loss) => Number(loss.toFixed(3)))).toEqual([
      10.8, 10, 2, 2,
    ]);
    expect([0, 1, 2].map((token) => lossesOf(timeline, token)[1])).toEqual([NaN, 5, 10]);
  });

  it("leaves out records of another text", () => {
    const changed = timelineOf([record(0, [1, 1], [1, 2, 3]), record(4, [5, 10])], 0);
    expect(changed.steps).toEqual([4]);
  });

  it("is empty without records", () => {
    expect(timelineOf([], 0)).toEqual({ tokens: [], steps: [], losses: new Float32Array(0) });
  });
});

describe("acquiredAt", () => {
  it("is the first step from which on the loss stays below half way", () => {
    expect(acquiredAt(timeline, 2, V)).toBe(8); // threshold 6.41
  });
  it("is nothing for a token that was forgotten, and for the first", () => {
    expect(acquiredAt(timeline, 1, V)).toBeUndefined(); // 4 at step 8, 9 at step 16
    expect(acquiredAt(timeline, 0, V)).toBeUndefined();
  });
});

it("finds the newest column at or before a step", () => {
  expect(columnOf([0, 4, 8], 5)).toBe(1);
  expect(columnOf([0, 4, 8], null)).toBe(2);
  expect(columnOf([4], 2)).toBe(-1);
});
