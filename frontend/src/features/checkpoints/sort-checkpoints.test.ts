import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { CheckpointKind, CheckpointSchema } from "@/gen/lab/v1/checkpoint_pb";
import {
  filterCheckpoints,
  kindOf,
  resumesAs,
  sortCheckpoints,
  wholenessOf,
} from "./sort-checkpoints";

function saved(run: string, step: number, more: object = {}) {
  return create(CheckpointSchema, {
    name: `runs/${run}/checkpoints/step-${String(step).padStart(8, "0")}`,
    kind: CheckpointKind.FULL,
    step,
    createTime: timestampFromMs(step * 1000),
    ...more,
  });
}

const ALL = [
  saved("b", 10, { loss: 4, pinned: true, labels: { idea: "wide" } }),
  saved("a", 30, { loss: 3, validationLoss: 3.5, savedBecause: "best validation loss" }),
  saved("a", 20, { damage: ["model.safetensors: missing"], inexactReasons: ["2 threads, was 4"] }),
];
const steps = (found: readonly { step: number }[]) => found.map(({ step }) => step);

describe("checkpoints in order", () => {
  it("newest first, and by any number", () => {
    expect(steps(sortCheckpoints(ALL, { key: "age", descending: false }))).toEqual([30, 20, 10]);
    expect(steps(sortCheckpoints(ALL, { key: "step", descending: true }))).toEqual([30, 20, 10]);
    expect(steps(sortCheckpoints(ALL, { key: "pinned", descending: false }))[0]).toBe(10);
    expect(steps(sortCheckpoints(ALL, { key: "whole", descending: false }))[0]).toBe(20);
  });

  it("what is not known comes last either way", () => {
    expect(steps(sortCheckpoints(ALL, { key: "loss", descending: false }))).toEqual([30, 10, 20]);
    expect(steps(sortCheckpoints(ALL, { key: "loss", descending: true }))).toEqual([10, 30, 20]);
  });

  it("sorts 10,000 in a moment", () => {
    const many = Array.from({ length: 10_000 }, (_, index) => saved("r", (index * 7919) % 10_000));
    const sorted = steps(sortCheckpoints(many, { key: "step", descending: false }));
    expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
  });
});

describe("checkpoints that match", () => {
  it.each([
    ["a", [30, 20]],
    ["a best", [30]],
    ["pinned", [10]],
    ["wide", [10]],
    ["damaged", [20]],
    ["step-00000010", [10]],
    ["", [10, 30, 20]],
    ["nowhere", []],
  ])("%s", (filter, found) => {
    const only = filter === "a" ? ALL.filter((one) => one.name.startsWith("runs/a")) : ALL;
    expect(steps(filterCheckpoints(only, filter))).toEqual(found);
  });
});

describe("what is known of one", () => {
  it("whether it is whole, and what a run that goes on from it is", () => {
    const [plain, , damaged] = ALL;
    expect(plain && wholenessOf(plain)).toBe("unchecked");
    expect(damaged && wholenessOf(damaged)).toBe("damaged");
    expect(wholenessOf(saved("a", 1, { verifyTime: timestampFromMs(1) }))).toBe("whole");
    expect(plain && resumesAs(plain)).toBe("exact");
    expect(damaged && resumesAs(damaged)).toBe("inexact");
    const imported = saved("imports", 0, { kind: CheckpointKind.WEIGHTS });
    const weights = saved("a", 4, { kind: CheckpointKind.WEIGHTS });
    expect([imported, weights].map(resumesAs)).toEqual(["not", "not"]);
    expect([imported, weights, saved("a", 5)].map(kindOf)).toEqual([
      "import",
      "weights only",
      "full",
    ]);
  });
});
