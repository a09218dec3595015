import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { AnalyseResponseSchema } from "@/gen/lab/v1/analysis_service_pb";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import { lensOf, otherLensOf } from "./lens";

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
  const lens = lensOf(answer);
  expect(lens.tokens).toEqual(["a", "·b"]);
  expect(lens.rows).toBe(2);
  expect(lens.top(0, 1)).toEqual([{ text: "↵", probability: 0.25 }]);
  expect(lens.top(1, 0)).toEqual([{ text: "#8", probability: 1 }]);
  expect(lens.top(1, 1)).toEqual([{ text: "·c", probability: 0.75 }]);
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
  expect(otherLensOf(answer)).toBeUndefined();
  expect(lensOf(answer).gained).toBeUndefined();
  const compared = create(AnalyseResponseSchema, {
    ...alone,
    otherTensors: said(8),
    differences: [{ name: "next_probability", tensor: gained }],
  });
  expect(otherLensOf(compared)?.top(0, 0)[0]?.text).toBe("c");
  expect([...(lensOf(compared).gained ?? [])]).toEqual([-0.25]);
});
