import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { SeriesSetSchema } from "@/gen/lab/v1/series_pb";
import { csvParts } from "./csv";

/** A trainer with `recorded` steps of loss and an evaluation every 5,000; thins as the real one does. */
function trainer(recorded: number, loss: (step: number) => number) {
  const asked: [number, number][] = [];
  const query = ({
    stepFrom,
    stepTo = 0,
    maxPoints,
  }: {
    stepFrom: number;
    stepTo?: number;
    maxPoints: number;
  }) => {
    asked.push([stepFrom, stepTo]);
    const last = Math.min(recorded, stepTo || recorded);
    const first = Math.max(1, stepFrom);
    const steps = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
    const answer = (name: string, all: number[]) => {
      const complete = all.length <= maxPoints;
      const kept = complete ? all : [...all.slice(0, maxPoints - 1), all.at(-1) ?? 0];
      return { name, steps: kept, values: kept.map(loss), complete, recorded: all.length };
    };
    return Promise.resolve(
      create(SeriesSetSchema, {
        series: [
          answer("loss", steps),
          answer(
            "validation_loss",
            steps.filter((step) => step % 5000 === 0),
          ),
        ],
      }),
    );
  };
  return { query, asked };
}

describe("all points as CSV", () => {
  it("holds every recorded step once, in order, over all pages", async () => {
    const { query, asked } = trainer(25_001, (step) => step / 7);
    const seen: number[] = [];
    const text = (await csvParts(query, ({ step }) => seen.push(step))).join("");
    const lines = text.trimEnd().split("\n");
    expect(lines[0]).toBe("step,loss,validation_loss");
    expect(lines).toHaveLength(1 + 25_001);
    lines.slice(1).forEach((line, i) => {
      const step = i + 1;
      const value = String(step / 7);
      expect(line).toBe(`${step},${value},${step % 5000 === 0 ? value : ""}`);
    });
    expect(asked.slice(1)).toEqual([
      [0, 9_999],
      [10_000, 19_999],
      [20_000, 25_001],
    ]);
    expect(seen).toEqual([0, 10_000, 20_000]);
  });

  it("writes what is no number as pandas reads it", async () => {
    const odd = [NaN, Infinity, -Infinity];
    const { query } = trainer(3, (step) => odd[step - 1] ?? 0);
    const text = (await csvParts(query, () => undefined)).join("");
    expect(text).toBe("step,loss,validation_loss\n1,NaN,\n2,inf,\n3,-inf,\n");
  });

  it("of a run without steps is its heading", async () => {
    const { query } = trainer(0, () => 0);
    expect(await csvParts(query, () => undefined)).toEqual(["step,loss,validation_loss\n", ""]);
  });

  it("fails rather than leave points out", async () => {
    const { query } = trainer(100, () => 1);
    const stingy: typeof query = (range) => query({ ...range, maxPoints: 10 });
    await expect(csvParts(stingy, () => undefined)).rejects.toThrow("thinned loss");
  });
});
