import { describe, expect, it } from "vitest";
import { rowsInSight } from "./columns";

const columns = { x: Float64Array.of(1, 2, 3, 4, 5, 99), y: new Float64Array(6), length: 5 };

describe("the rows of a chart's table", () => {
  it("are the points in sight, both ends among them", () => {
    expect(rowsInSight(columns, [2, 4], 60)).toEqual([2, 3, 4]);
    expect(rowsInSight(columns, [0, 100], 60)).toEqual([1, 2, 3, 4, 5]);
  });

  it("are spread evenly where there are too many, first and last kept", () => {
    expect(rowsInSight(columns, [1, 5], 3)).toEqual([1, 3, 5]);
  });

  it("are none where there is nothing", () => {
    expect(rowsInSight(columns, [6, 9], 60)).toEqual([]);
  });
});
