import { create } from "@bufbuild/protobuf";
import { render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { CheckpointSchema } from "@/gen/lab/v1/checkpoint_pb";
import { SourcePicker } from "./source-picker";

function show(runId: string, names: readonly string[]): void {
  render(
    <SourcePicker
      runs={[]}
      runId={runId}
      checkpoints={names.map((name) => create(CheckpointSchema, { name, step: 0 }))}
      checkpoint={names[0]?.split("/").at(-1) ?? null}
      source={{ kind: "checkpoint", name: names[0] ?? "" }}
      model={undefined}
      looking={false}
      follow={false}
      onRun={() => undefined}
      onCheckpoint={() => undefined}
      onLookAgain={() => undefined}
      onFollow={() => undefined}
      state={null}
    />,
  );
}

function labels(testId: string): (string | null)[] {
  return [...screen.getByTestId(testId).querySelectorAll("option")].map((one) => one.textContent);
}

describe("whose weights are looked into", () => {
  it("calls a run that is gone so", () => {
    show("nano-1", ["runs/nano-1/checkpoints/step-00000000"]);
    expect(labels("inside-run")).toEqual(["nano-1 (deleted)"]);
    expect(labels("inside-checkpoint").at(-1)).toBe("checkpoint at step 0");
  });

  it("calls imports by their names: no run is deleted, and all are at step 0", () => {
    show("imports", ["runs/imports/checkpoints/gpt2", "runs/imports/checkpoints/mine"]);
    expect(labels("inside-run")).toEqual(["imports"]);
    expect(labels("inside-checkpoint")).toEqual(["newest import", "gpt2", "mine"]);
  });
});
