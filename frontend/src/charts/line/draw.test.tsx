import { describe, expect, it } from "vitest";
import { drawScene, type Scene } from "./draw";
import { xScale, yScale } from "./geometry";
import { SvgInk } from "./svg-ink";

function drawn(x: number[], y: number[]): string {
  const box = { left: 40, right: 240, top: 0, bottom: 100 };
  const scene: Scene = {
    width: 250,
    height: 120,
    box,
    x: xScale([0, 4], box),
    y: yScale([0, 10], box, false),
    shown: [0, 4],
    lines: [
      {
        name: "train",
        color: "--train",
        mark: "bold",
        columns: { x: Float64Array.from(x), y: Float64Array.from(y), length: x.length },
      },
    ],
    references: [],
    markers: [],
    clip: false,
    logY: false,
    cursor: null,
    mark: null,
    selection: null,
    formatX: String,
    formatY: String,
    formatTickY: String,
    tickFactor: 1,
  };
  const ink = new SvgInk(250, 120, (text) => ({ width: text.length * 6 }) as TextMetrics);
  drawScene(ink, scene);
  return ink.text();
}

describe("a curve of one point", () => {
  it("shows where it begins, which a line from a place to itself does not", () => {
    expect(drawn([1], [5])).toContain(`<rect x="87.5"`);
    expect(drawn([1, 2], [5, 4])).not.toContain(`<rect x="87.5"`);
    expect(drawn([1], [NaN])).not.toContain(`<rect x="87.5"`);
  });
});
