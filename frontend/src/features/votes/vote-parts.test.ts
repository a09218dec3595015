import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { Dtype, NamedTensorSchema } from "@/gen/lab/v1/tensor_pb";
import { voteParts } from "./vote-parts";

const named = (name: string, shape: number[], ...numbers: number[]) => {
  const data = new Uint8Array(Float32Array.from(numbers).buffer);
  return create(NamedTensorSchema, { name, tensor: { shape, dtype: Dtype.FLOAT32, data } });
};

it("puts the votes in the order of the forward pass, and together they are the score", () => {
  const votes = voteParts([
    named("heads", [2, 2], 1, -3, 0.5, 0.25),
    named("ffn", [2], 2, -4),
    named("token", [1], 0.5),
    named("place", [1], -0.25),
    named("biases", [1], 1),
    named("score", [1], -2),
  ]);
  expect(votes.parts).toEqual([
    { name: "token", value: 0.5 },
    { name: "position", value: -0.25 },
    { name: "0 attention", value: -2 },
    { name: "0 ffn", value: 2 },
    { name: "1 attention", value: 0.75 },
    { name: "1 ffn", value: -4 },
    { name: "biases", value: 1 },
  ]);
  expect(votes.parts.reduce((sum, { value }) => sum + value, 0)).toBe(votes.score);
  expect([...votes.grid]).toEqual([1, -3, 2, 0.5, 0.25, -4]);
  expect(votes).toMatchObject({ layers: 2, heads: 2, most: 4, mostOfGrid: 4 });
});
