import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TokenizedWordSchema } from "@/gen/lab/v1/inference_service_pb";
import { TokenSchema } from "@/gen/lab/v1/tensor_pb";
import { bytesOf, hex, mergeSteps, pieceText, wordOf } from "./merge-steps";

const word = (byteCount: number, ...merges: [number, number, number][]) =>
  create(TokenizedWordSchema, {
    byteCount,
    tokenCount: byteCount - merges.length,
    merges: merges.map(([start, end, tokenId]) => ({ start, end, tokenId })),
  });

describe("mergeSteps", () => {
  it("goes from bytes to tokens", () => {
    // " the": t+h, th+e, then the space
    const steps = mergeSteps(word(4, [1, 3, 400], [1, 4, 1169], [0, 4, 262]));
    const written = steps.map(({ pieces }) =>
      pieces.map(({ start, end }) => " the".slice(start, end)).join("|"),
    );
    expect(written).toEqual([" |t|h|e", " |th|e", " |the", " the"]);
    expect(steps.map(({ tokenId }) => tokenId)).toEqual([null, 400, 1169, 262]);
  });

  it("has one step for a word of one byte", () => {
    expect(mergeSteps(word(1))).toHaveLength(1);
  });
});

it("finds the word of a token", () => {
  const words = [word(2), word(3, [0, 2, 300])];
  expect(wordOf(words, 1)).toMatchObject({ firstToken: 0 });
  expect(wordOf(words, 3)).toMatchObject({ firstToken: 2 });
  expect(wordOf(words, 4)).toBe(undefined);
});

it("shows whole characters as they are and parts of them as bytes", () => {
  const tokens = ["\\xf0\\x9f\\x99", "\\x82"].map((text) => create(TokenSchema, { text }));
  const bytes = bytesOf(tokens);
  expect(pieceText(bytes)).toBe("🙂");
  expect(pieceText(bytes.subarray(0, 3))).toBe("f0 9f 99");
  expect(pieceText(new TextEncoder().encode(" a\n"))).toBe("·a↵");
  expect(hex([0, 255])).toBe("00 ff");
});
