import { describe, expect, it } from "vitest";
import { tokenIn } from "./session";

describe("the token behind the # of an address", () => {
  it("is found, and nothing else is taken for it", () => {
    expect(tokenIn("#token=a-b_c")).toBe("a-b_c");
    expect(tokenIn("#page")).toBeUndefined();
    expect(tokenIn("")).toBeUndefined();
  });
});
