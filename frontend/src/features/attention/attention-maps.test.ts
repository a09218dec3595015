import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { MalformedTensor } from "@/api/tensors";
import { Dtype, TensorSchema } from "@/gen/lab/v1/tensor_pb";
import {
  differenceOf,
  exactMatrices,
  headHabits,
  meanMatrix,
  packedMatrices,
  rowOf,
  rowSum,
  strongestKeys,
  triangleMatrices,
  type WeightMatrix,
} from "./attention-maps";

function littleEndian(numbers: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(numbers.length * 4));
  numbers.forEach((number, index) => view.setFloat32(index * 4, number, true));
  return new Uint8Array(view.buffer);
}

function exact(shape: number[], numbers: number[]) {
  return create(TensorSchema, { shape, dtype: Dtype.FLOAT32, data: littleEndian(numbers) });
}

const three: WeightMatrix = {
  tokens: 3,
  weights: Float32Array.from([1, 0, 0, 0.25, 0.75, 0, 0.5, 0.125, 0.375]),
};

describe("exactMatrices", () => {
  it("cuts heads out in order", () => {
    const matrices = exactMatrices(exact([1, 2, 2, 2], [1, 0, 0.5, 0.5, 1, 0, 0.25, 0.75]));
    expect(matrices.map((matrix) => [...matrix.weights])).toEqual([
      [1, 0, 0.5, 0.5],
      [1, 0, 0.25, 0.75],
    ]);
  });

  it("reads bytes that start at an odd place", () => {
    const data = littleEndian([1, 0, 0.5, 0.5]);
    const shifted = new Uint8Array(data.length + 1);
    shifted.set(data, 1);
    const tensor = exact([1, 1, 2, 2], []);
    tensor.data = shifted.subarray(1);
    expect([...(exactMatrices(tensor)[0]?.weights ?? [])]).toEqual([1, 0, 0.5, 0.5]);
  });

  it.each([
    ["too few bytes", exact([1, 1, 2, 2], [1, 0, 0.5])],
    ["no square", exact([1, 1, 2, 1], [1, 0])],
    ["three axes", exact([1, 2, 2], [1, 0, 0.5, 0.5])],
    ["packed bytes", create(TensorSchema, { shape: [1, 1, 2, 2], dtype: Dtype.UINT8_SQRT })],
  ])("refuses %s", (_, tensor) => {
    expect(() => exactMatrices(tensor)).toThrow(MalformedTensor);
  });
});

describe("packedMatrices", () => {
  it("cuts heads out without copying", () => {
    const data = Uint8Array.from([255, 0, 180, 180, 255, 0, 10, 250]);
    const tensor = create(TensorSchema, { shape: [2, 1, 2, 2], dtype: Dtype.UINT8_SQRT, data });
    const matrices = packedMatrices(tensor);
    expect(matrices.map((matrix) => [...matrix.indices])).toEqual([
      [255, 0, 180, 180],
      [255, 0, 10, 250],
    ]);
    expect(matrices[1]?.indices.buffer).toBe(data.buffer);
  });

  it("refuses exact weights", () => {
    expect(() => packedMatrices(exact([1, 1, 1, 1], [1]))).toThrow(MalformedTensor);
  });
});

describe("triangleMatrices", () => {
  const data = Uint8Array.from([255, 100, 155, 1, 2, 3, 255, 0, 255, 4, 5, 6]);
  const shape = [1, 2, 3, 3];

  it("puts each row where it belongs and leaves the masked half 0", () => {
    const tensor = create(TensorSchema, { shape, dtype: Dtype.UINT8_SQRT_TRIANGLE, data });
    const matrices = triangleMatrices(tensor);
    expect(matrices.map((matrix) => [...matrix.indices])).toEqual([
      [255, 0, 0, 100, 155, 0, 1, 2, 3],
      [255, 0, 0, 0, 255, 0, 4, 5, 6],
    ]);
  });

  it("refuses whole squares and missing bytes", () => {
    const square = create(TensorSchema, { shape, dtype: Dtype.UINT8_SQRT, data });
    expect(() => triangleMatrices(square)).toThrow(MalformedTensor);
    const cut = { shape, dtype: Dtype.UINT8_SQRT_TRIANGLE, data: data.subarray(1) };
    expect(() => triangleMatrices(create(TensorSchema, cut))).toThrow(MalformedTensor);
  });
});

describe("differenceOf", () => {
  it("is what the other gives more", () => {
    const other = { tokens: 3, weights: Float32Array.from([1, 0, 0, 0.5, 0.5, 0, 0, 0.5, 0.5]) };
    expect([...differenceOf(three, other).weights]).toEqual([
      0, 0, 0, 0.25, -0.25, 0, -0.5, 0.375, 0.125,
    ]);
    expect(strongestKeys(differenceOf(three, other), 2, 1)).toEqual([{ key: 0, weight: -0.5 }]);
  });
});

describe("rows", () => {
  it("end at their query", () => {
    expect([...rowOf(three, 1)]).toEqual([0.25, 0.75]);
    expect(rowSum(three, 2)).toBeCloseTo(1, 6);
  });

  it("tell their strongest keys, earliest first among equals", () => {
    expect(strongestKeys(three, 2, 2)).toEqual([
      { key: 0, weight: 0.5 },
      { key: 2, weight: 0.375 },
    ]);
    const even: WeightMatrix = { tokens: 2, weights: Float32Array.from([1, 0, 0.5, 0.5]) };
    expect(strongestKeys(even, 1, 5).map(({ key }) => key)).toEqual([0, 1]);
  });
});

describe("meanMatrix", () => {
  it("keeps rows summing to 1", () => {
    const other: WeightMatrix = {
      tokens: 3,
      weights: Float32Array.from([1, 0, 0, 1, 0, 0, 0, 0, 1]),
    };
    const mean = meanMatrix([three, other]);
    expect([...mean.weights.slice(3, 5)]).toEqual([0.625, 0.375]);
    for (const query of [0, 1, 2]) expect(rowSum(mean, query)).toBeCloseTo(1, 6);
  });
});

describe("headHabits", () => {
  it("recognises a previous-token head", () => {
    const tokens = 6;
    const weights = new Float32Array(tokens * tokens);
    weights[0] = 1;
    for (let query = 1; query < tokens; query++) weights[query * tokens + query - 1] = 1;
    expect(headHabits({ tokens, weights })).toEqual({ itself: 0, previous: 1, first: 0 });
  });

  it("says nothing about a text without three places to look", () => {
    expect(headHabits({ tokens: 2, weights: Float32Array.from([1, 0, 0.5, 0.5]) })).toBeNull();
  });
});
