import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { GenerateResponseSchema } from "@/gen/lab/v1/inference_service_pb";
import { EMPTY_GENERATION } from "./generation-state";
import { neighbourOf } from "./token-place";

const row = (count: number) => ({
  state: {
    ...EMPTY_GENERATION,
    tokens: Array.from({ length: count }, (_, index) => create(GenerateResponseSchema, { index })),
  },
});
const rows = [row(3), row(1), row(0)];

it("walks through rows and tokens and stays within them", () => {
  expect(neighbourOf(null, "ArrowDown", rows)).toEqual({ row: 0, token: 0 });
  expect(neighbourOf({ row: 0, token: 2 }, "ArrowRight", rows)).toEqual({ row: 0, token: 2 });
  expect(neighbourOf({ row: 0, token: 2 }, "ArrowDown", rows)).toEqual({ row: 1, token: 0 });
  expect(neighbourOf({ row: 0, token: 2 }, "ArrowUp", rows)).toEqual({ row: 0, token: 2 });
});

it("goes nowhere where nothing is written, or for other keys", () => {
  expect(neighbourOf({ row: 1, token: 0 }, "ArrowDown", rows)).toBe(null);
  expect(neighbourOf({ row: 0, token: 0 }, "Enter", rows)).toBe(null);
  expect(neighbourOf(null, "ArrowDown", [])).toBe(null);
});
