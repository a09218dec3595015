import { describe, expect, it } from "vitest";
import {
  againstOf,
  droppedAt,
  isElsewhere,
  NEWEST,
  sameHeads,
  swapped,
  type Against,
} from "./against";

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

  it("may stand in another run", () => {
    const name = "runs/nano-7f3k/checkpoints/step-00000100";
    expect(againstOf(name)).toBe(name);
    expect(isElsewhere(name)).toBe(true);
    expect([NEWEST, 40, null].some((place) => isElsewhere(place as Against | null))).toBe(false);
    for (const odd of ["runs/a", "runs/../checkpoints/b", `${name}/c`, "runs//checkpoints/b"]) {
      expect(againstOf(odd)).toBe(null);
    }
  });

  it("compares head by head only what has as many", () => {
    expect(sameHeads({ layers: 6, heads: 5 }, { layers: 6, heads: 5 })).toBe(true);
    expect(sameHeads({ layers: 6, heads: 5 }, { layers: 6, heads: 8 })).toBe(false);
  });

  it("is off when the address says nothing that is a place", () => {
    expect(againstOf("0120")).toBe(120);
    expect(againstOf("newest")).toBe("newest");
    for (const odd of ["", "-1", "1e3", "step"]) expect(againstOf(odd)).toBe(null);
  });
});
