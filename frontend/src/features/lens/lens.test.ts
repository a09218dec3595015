import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { AnalyseResponseSchema } from "@/gen/lab/v1/analysis_service_pb";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import { lensOf, otherLensOf, PART_TOKENS } from "./lens";

const bytes = (numbers: Int32Array | Float32Array) => new Uint8Array(numbers.buffer);

it("finds the guess of a row at a token", () => {
  const shape = [2, 2, 1]; // embedding and one block, two tokens, the best guess of each
  const answer = create(AnalyseResponseSchema, {
    tokens: [{ text: "a" }, { text: " b" }],
    words: [
      { id: 7, text: " c" },
      { id: 9, text: "\n" },
    ],
    tensors: [
      {
        name: "top_ids",
        tensor: { shape, dtype: Dtype.INT32, data: bytes(Int32Array.of(7, 9, 8, 7)) },
      },
      {
        name: "top_probabilities",
        tensor: { shape, dtype: Dtype.FLOAT32, data: bytes(Float32Array.of(0.5, 0.25, 1, 0.75)) },
      },
    ],
  });
  const lens = lensOf([{ first: 0, answer }]);
  expect(lens?.tokens).toEqual(["a", "·b"]);
  expect(lens?.rows).toBe(2);
  expect(lens?.top(0, 1)).toEqual([{ text: "↵", probability: 0.25 }]);
  expect(lens?.top(1, 0)).toEqual([{ text: "#8", probability: 1 }]);
  expect(lens?.top(1, 1)).toEqual([{ text: "·c", probability: 0.75 }]);
});

it("has what a second model says, and what it holds more probable", () => {
  const said = (id: number) => [
    {
      name: "top_ids",
      tensor: { shape: [1, 1, 1], dtype: Dtype.INT32, data: bytes(Int32Array.of(id)) },
    },
    {
      name: "top_probabilities",
      tensor: { shape: [1, 1, 1], dtype: Dtype.FLOAT32, data: bytes(Float32Array.of(0.5)) },
    },
  ];
  const gained = { shape: [1, 1], dtype: Dtype.FLOAT32, data: bytes(Float32Array.of(-0.25)) };
  const alone = {
    tokens: [{ text: "a" }],
    words: [
      { id: 7, text: "b" },
      { id: 8, text: "c" },
    ],
    tensors: said(7),
  };
  const answer = create(AnalyseResponseSchema, alone);
  expect(otherLensOf([{ first: 0, answer }])).toBeUndefined();
  expect(lensOf([{ first: 0, answer }])?.compared).toBe(false);
  const compared = create(AnalyseResponseSchema, {
    ...alone,
    otherTensors: said(8),
    differences: [{ name: "next_probability", tensor: gained }],
  });
  const parts = [{ first: 0, answer: compared }];
  expect(otherLensOf(parts)?.top(0, 0)[0]?.text).toBe("c");
  expect(lensOf(parts)?.compared).toBe(true);
  expect(lensOf(parts)?.gained(0, 0)).toBe(-0.25);
});

it("is put together from the parts of a long text, and blank where none is", () => {
  const part = (first: number, id: number) => ({
    first,
    answer: create(AnalyseResponseSchema, {
      tokens: Array.from({ length: 2 * PART_TOKENS + 1 }, () => ({ text: "x" })),
      words: [{ id, text: `word ${id}` }],
      tensors: [
        {
          name: "top_ids",
          tensor: { shape: [1, 1, 1], dtype: Dtype.INT32, data: bytes(Int32Array.of(id)) },
        },
        {
          name: "top_probabilities",
          tensor: { shape: [1, 1, 1], dtype: Dtype.FLOAT32, data: bytes(Float32Array.of(1)) },
        },
      ],
    }),
  });
  const lens = lensOf([part(0, 1), part(2 * PART_TOKENS, 2)]);
  expect(lens?.tokens).toHaveLength(2 * PART_TOKENS + 1);
  expect(lens?.top(0, 0)).toEqual([{ text: "word·1", probability: 1 }]);
  expect(lens?.top(0, PART_TOKENS)).toEqual([]);
  expect(lens?.top(0, 2 * PART_TOKENS)).toEqual([{ text: "word·2", probability: 1 }]);
  expect(lensOf([])).toBeUndefined();
});
