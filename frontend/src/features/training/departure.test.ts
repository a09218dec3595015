import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { departure } from "./departure";

describe("where a text departs from the one before", () => {
  it("splits after what both begin with", () => {
    expect(departure("the cat sat", "the cow sat")).toEqual({ same: "the c", other: "at sat" });
    expect(departure("new", undefined)).toEqual({ same: "", other: "new" });
  });

  it("never cuts a character in two and loses nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
        const { same, other } = departure(a, b);
        expect(same + other).toBe(a);
        expect(b.startsWith(same)).toBe(true);
        expect(same.isWellFormed() && other.isWellFormed()).toBe(true);
      }),
    );
  });
});
