import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ProbeTextSchema } from "@/gen/lab/v1/recording_pb";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import { withoutSink } from "./attention-maps";
import { cellLabels, recordView } from "./record-view";

const tokens = ["a", " b", "\n", "d"].map((text, id) => ({ id, text }));

/** One layer of two heads; the second looks at the first token only. */
const PROBE = create(ProbeTextSchema, {
  tokens: tokens.slice(0, 2),
  attention: {
    shape: [1, 2, 2, 2],
    dtype: Dtype.UINT8_SQRT,
    data: Uint8Array.from([255, 0, 180, 180, 255, 0, 255, 0]),
  },
});

describe("recordView", () => {
  const shape = { heads: 2, layer: 0, old: false };

  it("shows a head as the run saw it", () => {
    const view = recordView(PROBE, { ...shape, head: 1 });
    expect([...(view.exact?.matrix.weights ?? [])]).toEqual([1, 0, 1, 0]);
    expect(view.labels).toEqual(["a", "·b"]);
    expect(view.averaged).toBe(false);
    expect(view.matrixOf({ layer: 0, head: 1 })?.indices[2]).toBe(255);
  });

  it("averages the heads of a layer", () => {
    const view = recordView(PROBE, { ...shape, head: "mean" });
    expect(view.exact?.matrix.weights[2]).toBeCloseTo((1 + (180 / 255) ** 2) / 2, 5);
  });

  it("has no picture without attention, and says when it is that of another step", () => {
    const probe = create(ProbeTextSchema, { tokens });
    const view = recordView(probe, { ...shape, head: 0, old: true });
    expect(view.picture).toBeUndefined();
    expect(view.pictureIsOld).toBe(true);
  });
});

it("names cells that stand for several tokens by the first of them", () => {
  expect(cellLabels({ tokens } as never, 2)).toEqual(["a…", "↵…"]);
});

it("leaves the first token out and lets the rest sum to 1", () => {
  const weights = Float32Array.from([1, 0, 0, 0.5, 0.5, 0, 0.5, 0.25, 0.25]);
  const free = withoutSink({ tokens: 3, weights }).weights;
  expect([...free]).toEqual([0, 0, 0, 0, 1, 0, 0, 0.5, 0.5]);
});
