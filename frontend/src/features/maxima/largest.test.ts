import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { Dtype, NamedTensorSchema } from "@/gen/lab/v1/tensor_pb";
import { largestByLayer } from "./largest";

const named = (name: string, dtype: Dtype, numbers: Float32Array | Int32Array) =>
  create(NamedTensorSchema, {
    name,
    tensor: { shape: [2, 2], dtype, data: new Uint8Array(numbers.buffer) },
  });

it("tells which numbers are largest, and where", () => {
  const found = largestByLayer(
    [
      named("stream_values", Dtype.FLOAT32, Float32Array.of(-3, 2, 8, -1)),
      named("stream_ids", Dtype.INT32, Int32Array.of(7, 1, 7, 0)),
      named("stream_places", Dtype.INT32, Int32Array.of(0, 4, 0, 2)),
    ],
    "stream",
  );
  expect(found.rows).toEqual(["embedding", "after 0"]);
  expect([...found.sizes]).toEqual([3, 2, 8, 1]);
  expect(found.most).toBe(8);
  expect(found.of(1)).toEqual([
    { value: 8, id: 7, place: 0 },
    { value: -1, id: 0, place: 2 },
  ]);
});
