import { describe, expect, it } from "vitest";
import { Column } from "./column";
import { paceOf } from "./pace";

function elapsed(secsOfSteps: number[]): Column {
  const column = new Column();
  let sum = 0;
  secsOfSteps.forEach((secs, i) => column.put(i + 1, (sum += secs)));
  return column;
}

describe("the pace of a run", () => {
  it("is not told from its first steps, which are slow", () => {
    expect(paceOf(elapsed([]))).toBeUndefined();
    expect(paceOf(elapsed([40, 1, 1, 1, 1]))).toBeUndefined();
    expect(paceOf(elapsed([40, 1, 1, 1, 1, 1]))).toBe(1);
  });

  it("is that of the last hundred steps", () => {
    expect(paceOf(elapsed([...Array<number>(500).fill(1), ...Array<number>(100).fill(2)]))).toBe(2);
  });
});
