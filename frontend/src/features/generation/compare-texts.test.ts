import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { GenerateResponseSchema } from "@/gen/lab/v1/inference_service_pb";
import { firstDifference, meanLogProbability, repeatedShare } from "./compare-texts";

const text = (...ids: number[]) =>
  ids.map((id, index) => create(GenerateResponseSchema, { index, token: { id, text: "x" } }));

describe("firstDifference", () => {
  it("finds where two texts part", () => {
    expect(firstDifference(text(1, 2, 3), text(1, 9, 3), false)).toBe(1);
    expect(firstDifference(text(1, 2), text(1, 2), true)).toBe(null);
  });

  it("waits for the slower one, and counts an early end as a difference once both are over", () => {
    expect(firstDifference(text(1, 2, 3), text(1), false)).toBe(null);
    expect(firstDifference(text(1, 2, 3), text(1), true)).toBe(1);
    expect(firstDifference(text(), text(), true)).toBe(null);
  });
});

describe("repeatedShare", () => {
  it("is 0 for a text without a repeated run of three and near 1 for one word over and over", () => {
    expect(repeatedShare(text(1, 2, 3, 4))).toBe(0);
    expect(repeatedShare(text(7, 7, 7, 7, 7, 7))).toBe(0.75);
    expect(repeatedShare(text(1, 2))).toBe(undefined);
  });
});

it("averages logarithms", () => {
  const tokens = [-1, -3].map((logProbability) =>
    create(GenerateResponseSchema, { logProbability }),
  );
  expect(meanLogProbability(tokens)).toBe(-2);
  expect(meanLogProbability([])).toBe(undefined);
});
