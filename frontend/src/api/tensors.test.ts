import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Dtype, NamedTensorSchema, TensorSchema } from "@/gen/lab/v1/tensor_pb";
import { numbersOf, tensorNamed } from "./tensors";

const tensor = (shape: number[], dtype: Dtype, data: Uint8Array) =>
  create(TensorSchema, { shape, dtype, data });

describe("numbersOf", () => {
  it("reads exact numbers wherever their bytes begin", () => {
    const message = new Uint8Array(9);
    new DataView(message.buffer).setFloat32(1, 1.5, true);
    new DataView(message.buffer).setFloat32(5, -2, true);
    const { values } = numbersOf(tensor([2], Dtype.FLOAT32, message.subarray(1)));
    expect([...values]).toEqual([1.5, -2]);
  });

  it("reads whole numbers with their sign", () => {
    const data = new Uint8Array(new Int32Array([-1, 50256]).buffer);
    expect([...numbersOf(tensor([2], Dtype.INT32, data)).values]).toEqual([-1, 50256]);
  });

  it("unpacks triangles row by row and leaves what is after the diagonal 0", () => {
    const data = Uint8Array.from([255, 0, 255, 51, 102, 204]); // one 3 x 3 matrix
    const { values } = numbersOf(tensor([1, 1, 3, 3], Dtype.UINT8_SQRT_TRIANGLE, data));
    const expected = [1, 0, 0, 0, 1, 0, 0.04, 0.16, 0.64];
    expected.forEach((value, at) => expect(values[at]).toBeCloseTo(value, 6));
  });

  it("unpacks the second triangle from where the first one ends", () => {
    const data = Uint8Array.from([255, 0, 255, 51, 102, 204]);
    const { values } = numbersOf(tensor([2, 2, 2], Dtype.UINT8_SQRT_TRIANGLE, data));
    const expected = [1, 0, 0, 1, 0.04, 0, 0.16, 0.64];
    expected.forEach((value, at) => expect(values[at]).toBeCloseTo(value, 6));
  });

  it.each([
    [Dtype.FLOAT32, 7],
    [Dtype.UINT8_SQRT, 3],
    [Dtype.UINT8_SQRT_TRIANGLE, 4],
  ])("refuses kind %s with %s bytes for a 2 x 2 matrix", (dtype, bytes) => {
    expect(() => numbersOf(tensor([2, 2], dtype, new Uint8Array(bytes)))).toThrow(/bytes/);
  });
});

it("names the array that is missing", () => {
  const one = create(NamedTensorSchema, { name: "loss" });
  expect(() => tensorNamed([one], "rank")).toThrow(/"rank"/);
});
