import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readView, writeView } from "./run-address";

const view = fc.record({
  axis: fc.constantFrom("step", "log", "tokens", "time"),
  logLoss: fc.boolean(),
  clipLoss: fc.boolean(),
  smoothing: fc.integer({ min: 0, max: 99 }).map((percent) => percent / 100),
  stretch: fc.oneof(
    fc.constant(null),
    fc.tuple(fc.nat(99_999), fc.integer({ min: 1, max: 99_999 })).map(([a, b]) => [a, a + b]),
  ),
}) as fc.Arbitrary<Parameters<typeof writeView>[0]>;

describe("a link to a run as it is looked at", () => {
  it("shows the same to who opens it, and is short", () => {
    fc.assert(
      fc.property(view, (shown) => {
        const text = writeView(shown);
        expect(readView(new URLSearchParams(text))).toEqual(shown);
        expect(text.length).toBeLessThan(60);
      }),
    );
  });

  it("says nothing when it says nothing, and makes the best of nonsense", () => {
    expect(readView(new URLSearchParams(""))).toBeUndefined();
    const odd = readView(new URLSearchParams("x=step&smooth=7&zoom=9~1"));
    expect(odd).toMatchObject({ smoothing: 0, stretch: null });
  });
});
