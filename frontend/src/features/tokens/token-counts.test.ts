import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TokenSchema } from "@/gen/lab/v1/tensor_pb";
import { countTokens } from "./token-counts";

const token = (id: number, text: string) => create(TokenSchema, { id, text });

describe("countTokens", () => {
  it("counts tokens, distinct ids, bytes and characters", () => {
    const counts = countTokens([token(1, "the"), token(2, " cat"), token(1, "the")]);
    expect(counts).toEqual({
      tokens: 3,
      distinct: 2,
      bytes: 10,
      characters: 10,
      words: 2,
      bytesPerToken: 10 / 3,
      charactersPerToken: 10 / 3,
      tokensPerWord: 1.5,
    });
  });

  it("counts a character that is split over tokens once", () => {
    const counts = countTokens([token(1, "\\xf0\\x9f\\x99"), token(2, "\\x82")]);
    expect(counts.bytes).toBe(4);
    expect(counts.characters).toBe(1);
  });

  it("says nothing per token about an empty text", () => {
    expect(countTokens([])).toMatchObject({
      bytesPerToken: undefined,
      charactersPerToken: undefined,
      tokensPerWord: undefined,
    });
  });
});
