import { describe, expect, it } from "vitest";
import { drawScene, type Scene } from "./draw";
import { xScale, yScale } from "./geometry";
import { SvgInk } from "./svg-ink";

function drawn(x: number[], y: number[], also: Partial<Scene> = {}): string {
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
    ...also,
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

describe("the ticks of an axis", () => {
  const labels = (also: Partial<Scene>) =>
    [...drawn([0, 4], [5, 4], also).matchAll(/>([^<>]+)<\/text>/g)].map(([, text]) => text);

  it("stand at whole x where that is asked, unless there would be one at most", () => {
    const box = { left: 40, right: 640, top: 0, bottom: 100 };
    const formatX = (x: number) => `x${x}`;
    const formatTickY = () => "";
    const at = (from: number, to: number) =>
      labels({ box, width: 650, x: xScale([from, to], box), formatX, formatTickY, wholeX: true });
    expect(at(0, 4)).toEqual(["x0", "x1", "x2", "x3", "x4"]);
    expect(at(0, 0.4).length).toBeGreaterThan(2);
  });

  it("say a number once, though it stands at several heights", () => {
    const texts = labels({ formatX: () => "", formatTickY: (y) => `y${Math.floor(y / 5)}` });
    expect(texts).toEqual([...new Set(texts)]);
    expect(texts).toContain("y1");
  });
});
