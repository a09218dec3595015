import { describe, expect, it } from "vitest";
import { MOST_COMPARED, readCompare, writeCompare } from "./compare-address";

const read = (text: string) => readCompare(new URLSearchParams(text));

describe("the address of a comparison", () => {
  it.each([
    "runs=a,b",
    "runs=a,b,c&hide=b,c&base=a&y=grad_norm&x=tokens&log=1&smooth=0.5&zoom=10~250.5",
    "runs=a&smooth=0",
    "runs=a,b&group=seed",
    "runs=",
  ])("is the same after reading and writing: %s", (text) => {
    expect(writeCompare(read(text))).toBe(text);
  });

  it("leaves out what is not there", () => {
    const choice = read(
      "runs=a,a,B!,b&hide=z,b&base=z&y=sparkle&x=sideways&smooth=7&zoom=9~3&group=mood",
    );
    expect(choice).toEqual({
      runs: ["a", "b"],
      hidden: ["b"],
      baseline: null,
      metric: "loss",
      axis: "step",
      logY: false,
      smoothing: 0.9,
      stretch: null,
      group: "none",
    });
  });

  it("takes no more runs than can be told apart", () => {
    const ids = Array.from({ length: 50 }, (_, i) => `r${i}`);
    expect(read(`runs=${ids.join(",")}`).runs).toEqual(ids.slice(0, MOST_COMPARED));
  });
});
