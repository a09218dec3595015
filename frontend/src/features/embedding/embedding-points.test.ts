import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AnalyseResponseSchema } from "@/gen/lab/v1/analysis_service_pb";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import { embeddingPoints, findTokens, KINDS, kindOf, movedMost, plane } from "./embedding-points";

const floats = (name: string, shape: number[], ...numbers: number[]) => ({
  name,
  tensor: { shape, dtype: Dtype.FLOAT32, data: new Uint8Array(Float32Array.from(numbers).buffer) },
});

describe("embeddingPoints", () => {
  const ids = {
    name: "ids",
    tensor: { shape: [2], dtype: Dtype.INT32, data: new Uint8Array(Int32Array.of(5, 262).buffer) },
  };
  const answer = create(AnalyseResponseSchema, {
    tensors: [ids, floats("points", [2, 3], 1, 2, 3, 4, 5, 6), floats("share", [3], 0.5, 0.2, 0.1)],
    otherTensors: [ids, floats("points", [2, 3], 0, 0, 0, 1, 1, 1), floats("share", [3], 1, 0, 0)],
    words: [{ id: 262, text: " the" }],
  });

  it("takes the points of the first or of the second model, with their texts", () => {
    const first = embeddingPoints(answer, false);
    expect(first.texts).toEqual(["#5", " the"]);
    expect([...plane(first.points, [0, 2])]).toEqual([1, 3, 4, 6]);
    const second = embeddingPoints(answer, true);
    expect([...second.points]).toEqual([0, 0, 0, 1, 1, 1]);
    expect(movedMost(first.points, second.points, 1)).toEqual([1]);
  });
});

it("tells kinds of tokens", () => {
  const kind = (text: string) => KINDS[kindOf(text)];
  expect(kind(" the")).toBe("word start");
  expect(kind("ing")).toBe("inside a word");
  expect(kind(" 1984")).toBe("number");
  expect(kind("),")).toBe("punctuation");
  expect(kind("\n")).toBe("bytes");
  expect(kind("\\xf0\\x9f")).toBe("bytes");
});

it("finds tokens as people type them", () => {
  const texts = ["the", " the", " The", " then", "cat", " "];
  expect(findTokens(texts, " the", 9)).toEqual([1, 0, 2, 3]);
  expect(findTokens(texts, "the", 2)).toEqual([0, 1]);
  expect(findTokens(texts, "·the", 9)).toEqual([1]);
  expect(findTokens(texts, "  ", 9)).toEqual([]);
});
