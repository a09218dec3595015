import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { Dtype, NamedTensorSchema } from "@/gen/lab/v1/tensor_pb";
import { differenceOfNorms, streamNorms } from "./stream-norms";

function named(name: string, shape: number[], ...numbers: number[]) {
  const data = new Uint8Array(Float32Array.from(numbers).buffer);
  return create(NamedTensorSchema, { name, tensor: { shape, dtype: Dtype.FLOAT32, data } });
}

it("lines up what a token passes, layer by layer", () => {
  const norms = streamNorms([
    named("embedding", [2], 1, 2),
    named("post_attention", [2, 2], 3, 4, 7, 8),
    named("post_ffn", [2, 2], 5, 6, 9, 10),
  ]);
  expect(norms.rows).toEqual(["embedding", "0 attention", "0 ffn", "1 attention", "1 ffn"]);
  expect([...norms.values]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(norms.largest).toBe(10);
});

it("compares lengths on one scale to both sides", () => {
  const norms = (...numbers: number[]) =>
    streamNorms([
      named("embedding", [1], ...numbers.slice(0, 1)),
      named("post_attention", [1, 1], ...numbers.slice(1, 2)),
      named("post_ffn", [1, 1], ...numbers.slice(2)),
    ]);
  const between = differenceOfNorms(norms(1, 5, 3), norms(2, 1, 3));
  expect([...between.values]).toEqual([1, -4, 0]);
  expect(between.largest).toBe(4);
});
