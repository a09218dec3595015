import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { FinishReason, GenerateResponseSchema } from "@/gen/lab/v1/inference_service_pb";
import { EMPTY_GENERATION } from "./generation-state";
import { statusOf } from "./generation-status";

const written = (count: number, finish: FinishReason) => ({
  ...EMPTY_GENERATION,
  tokens: Array.from({ length: count }, (_, index) => create(GenerateResponseSchema, { index })),
  finish,
  elapsedSecs: 2,
});
const over = { starting: false, writing: false, maxTokens: 10 };

describe("statusOf", () => {
  it("tells speed while writing", () => {
    const state = written(4, FinishReason.UNSPECIFIED);
    expect(statusOf(state, { ...over, writing: true })).toBe("4 tokens, 2 tok/s");
  });

  it("tells a full context from a text of the length asked for", () => {
    expect(statusOf(written(10, FinishReason.LENGTH), over)).toContain("reached max tokens");
    expect(statusOf(written(9, FinishReason.LENGTH), over)).toContain("context is full");
  });

  it("waits aloud", () => {
    expect(statusOf(EMPTY_GENERATION, { ...over, starting: true })).toBe("starting…");
    expect(statusOf(EMPTY_GENERATION, { ...over, writing: true })).toContain("first token");
    expect(statusOf(EMPTY_GENERATION, over)).toBe("");
  });
});
