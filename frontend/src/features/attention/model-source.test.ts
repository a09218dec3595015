import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RunSchema, RunVerb } from "@/gen/lab/v1/run_pb";
import { idOf, sourceFor } from "./model-source";

const running = create(RunSchema, {
  name: "runs/nano-7f3k",
  allowedVerbs: [RunVerb.PAUSE, RunVerb.PEEK],
  latestCheckpoint: "runs/nano-7f3k/checkpoints/step-00000100",
});
const over = create(RunSchema, { name: "runs/nano-7f3k", allowedVerbs: [RunVerb.DELETE] });

describe("sourceFor", () => {
  it("looks into the run itself while it may be peeked at", () => {
    expect(sourceFor(running, null)).toEqual({ kind: "live", run: "runs/nano-7f3k" });
  });

  it("takes the checkpoint the user chose, running or not", () => {
    const chosen = { kind: "checkpoint", name: "runs/nano-7f3k/checkpoints/step-00000050" };
    expect(sourceFor(running, "step-00000050")).toEqual(chosen);
    expect(sourceFor(over, "step-00000050")).toEqual(chosen);
  });

  it("falls back to the newest checkpoint, then to the last peek", () => {
    const saved = { ...over, latestCheckpoint: "runs/nano-7f3k/checkpoints/final" };
    expect(sourceFor(saved, null)).toEqual({
      kind: "checkpoint",
      name: "runs/nano-7f3k/checkpoints/final",
    });
    expect(sourceFor(over, null)).toEqual({ kind: "last-peek", name: "runs/nano-7f3k/peek" });
  });
});

describe("idOf", () => {
  it("keeps the last part", () => {
    expect(idOf("runs/nano-7f3k")).toBe("nano-7f3k");
    expect(idOf("nano-7f3k")).toBe("nano-7f3k");
  });
});
