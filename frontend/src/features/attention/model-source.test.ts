import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RunSchema, RunState, RunVerb } from "@/gen/lab/v1/run_pb";
import { idOf, sourceFor } from "./model-source";

const SAVED = ["runs/nano-7f3k/checkpoints/final", "runs/nano-7f3k/checkpoints/step-00000050"];
const running = create(RunSchema, {
  name: "runs/nano-7f3k",
  state: RunState.RUNNING,
  allowedVerbs: [RunVerb.PAUSE, RunVerb.PEEK],
});
const over = create(RunSchema, {
  name: "runs/nano-7f3k",
  state: RunState.SUCCEEDED,
  allowedVerbs: [RunVerb.DELETE],
});

describe("sourceFor", () => {
  it("looks into the run itself while it may be peeked at", () => {
    expect(sourceFor("nano-7f3k", { run: running, checkpoint: null, saved: SAVED })).toEqual({
      kind: "live",
      run: "runs/nano-7f3k",
      ready: true,
    });
  });

  it("stays with a run that is on its way from one state to another", () => {
    for (const state of [RunState.STARTING, RunState.PAUSING, RunState.STOPPING]) {
      const between = { ...running, state, allowedVerbs: [] };
      expect(sourceFor("nano-7f3k", { run: between, checkpoint: null, saved: SAVED })).toEqual({
        kind: "live",
        run: "runs/nano-7f3k",
        ready: false,
      });
    }
  });

  it("takes the checkpoint the user chose, whether its run runs, is over or is deleted", () => {
    for (const run of [running, over, undefined]) {
      expect(sourceFor("nano-7f3k", { run, checkpoint: "step-00000050", saved: SAVED })).toEqual({
        kind: "checkpoint",
        name: "runs/nano-7f3k/checkpoints/step-00000050",
      });
    }
  });

  it("falls back to the newest checkpoint, then to the last peek", () => {
    expect(sourceFor("nano-7f3k", { run: over, checkpoint: null, saved: SAVED })).toEqual({
      kind: "checkpoint",
      name: "runs/nano-7f3k/checkpoints/final",
    });
    // The run still names a checkpoint that somebody deleted.
    const named = { ...over, latestCheckpoint: "runs/nano-7f3k/checkpoints/final" };
    expect(sourceFor("nano-7f3k", { run: named, checkpoint: null, saved: [] })).toEqual({
      kind: "last-peek",
      name: "runs/nano-7f3k/peek",
    });
  });
});

describe("idOf", () => {
  it("keeps the last part", () => {
    expect(idOf("runs/nano-7f3k")).toBe("nano-7f3k");
    expect(idOf("nano-7f3k")).toBe("nano-7f3k");
  });
});
