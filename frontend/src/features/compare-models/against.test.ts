import { describe, expect, it } from "vitest";
import { droppedAt, stepOfAgainst, swapped } from "./against";

describe("the second playhead", () => {
  it("lands on the nearest saved step, at the live end on the newest weights", () => {
    expect(droppedAt(130, [0, 100, 200])).toBe(100);
    expect(droppedAt(null, [0, 100])).toBe("newest");
    expect(droppedAt(130, [])).toBe("newest");
  });

  it("changes places with the first and back", () => {
    expect(swapped(null, 40)).toEqual({ at: 40, against: "newest" });
    expect(swapped(40, "newest")).toEqual({ at: null, against: 40 });
    expect(swapped(1, 2)).toEqual({ at: 2, against: 1 });
  });

  it("is off when the address says nothing that is a place", () => {
    expect(stepOfAgainst("0120")).toBe(120);
    expect(stepOfAgainst("newest")).toBe("newest");
    for (const odd of ["", "-1", "1e3", "step"]) expect(stepOfAgainst(odd)).toBe(null);
  });
});
