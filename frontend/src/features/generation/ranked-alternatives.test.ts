import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { GenerateResponseSchema } from "@/gen/lab/v1/inference_service_pb";
import { rankedAlternatives } from "./ranked-alternatives";

const alternatives = [
  { token: { id: 262, text: " the" }, probability: 0.5 },
  { token: { id: 257, text: " a" }, probability: 0.25 },
];

describe("rankedAlternatives", () => {
  it("marks the drawn token where it stands", () => {
    const step = create(GenerateResponseSchema, { token: { id: 257, text: " a" }, alternatives });
    expect(rankedAlternatives(step).map(({ id, drawn }) => [id, drawn])).toEqual([
      [262, false],
      [257, true],
    ]);
  });

  it("adds a drawn token that was a long shot, with its own probability", () => {
    const step = create(GenerateResponseSchema, {
      token: { id: 9, text: "*" },
      probability: 0.001,
      alternatives,
    });
    expect(rankedAlternatives(step).at(-1)).toEqual({
      id: 9,
      text: "*",
      probability: 0.001,
      drawn: true,
    });
  });
});
