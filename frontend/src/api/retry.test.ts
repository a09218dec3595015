import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ProblemSchema } from "@/gen/lab/v1/error_pb";
import { ProblemError } from "./problem";
import { whileAway } from "./retry";

const answered = (status: number) => new ProblemError(create(ProblemSchema, { status }));

describe("whileAway", () => {
  it.each([0, 502, 503, 504])("asks again after %d, however often", (status) => {
    expect(whileAway(100, answered(status))).toBe(true);
  });

  it.each([400, 404, 409, 429, 500, 501])("takes %d for an answer", (status) => {
    expect(whileAway(0, answered(status))).toBe(false);
  });

  it("does not repeat a mistake of its own", () => {
    expect(whileAway(0, new Error("the answer held no weights"))).toBe(false);
  });
});
