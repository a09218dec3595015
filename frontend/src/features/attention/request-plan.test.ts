import { describe, expect, it } from "vitest";
import { planRequests, type HeadRange } from "./request-plan";

const count = (n: number) => Array.from({ length: n }, (_, index) => index);

function pairs(plan: HeadRange[]): string[] {
  return plan.flatMap(({ layers, heads }) =>
    layers.flatMap((layer) => heads.map((head) => `${layer}.${head}`)),
  );
}

describe("planRequests", () => {
  it("asks once when everything fits", () => {
    const all = { layers: count(6), heads: count(5) };
    expect(planRequests(all, { bytesPerHead: 900 })).toEqual([all]);
  });

  it("groups whole layers when they fit", () => {
    const plan = planRequests(
      { layers: count(5), heads: count(4) },
      { bytesPerHead: 10, limit: 85 },
    );
    expect(plan.map((part) => part.layers)).toEqual([[0, 1], [2, 3], [4]]);
  });

  it("splits a layer that is too large", () => {
    const plan = planRequests({ layers: [3], heads: count(5) }, { bytesPerHead: 10, limit: 25 });
    expect(plan.map((part) => part.heads)).toEqual([[0, 1], [2, 3], [4]]);
  });

  it.each([
    [6, 5, 65536],
    [12, 12, 1024 * 1024],
    [12, 12, 4 * 1024 * 1024],
    [1, 1, 1],
  ])("asks for each of %d × %d heads exactly once, in order", (layers, heads, bytesPerHead) => {
    const all = { layers: count(layers), heads: count(heads) };
    const plan = planRequests(all, { bytesPerHead });
    expect(pairs(plan)).toEqual(pairs([all]));
    for (const part of plan) {
      const size = part.layers.length * part.heads.length * bytesPerHead;
      expect(size <= 2_000_000 || part.heads.length === 1).toBe(true);
    }
  });
});
