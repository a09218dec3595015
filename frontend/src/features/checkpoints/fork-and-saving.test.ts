import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ProblemSchema } from "@/gen/lab/v1/error_pb";
import { RunSchema } from "@/gen/lab/v1/run_pb";
import { forkErrors, forkRequest } from "./fork-settings";
import { changeBetween, policyInWords, policyOf } from "./saving-change";

const NAME = "runs/a/checkpoints/step-00000010";

describe("a fork", () => {
  it("sends only what was changed", () => {
    expect(forkRequest(NAME, {})).toMatchObject({ checkpoint: NAME, displayName: "" });
    const asked = forkRequest(NAME, {
      rate: "6e-4",
      steps: "500",
      batch: "8",
      seed: "7",
      name: "x",
    });
    expect(asked).toMatchObject({
      displayName: "x",
      overrides: {
        optimizer: { learningRate: 6e-4 },
        budget: { steps: 500, batch: 8 },
        data: { seed: 7n },
      },
    });
    const plain = forkRequest(NAME, { steps: "500" });
    expect("overrides" in plain && plain.overrides?.optimizer).toBeUndefined();
    expect("overrides" in plain && plain.overrides?.budget?.batch).toBeUndefined();
  });

  it.each([
    ["rate", "fast"],
    ["rate", ""],
    ["steps", "1.5"],
    ["batch", "-1"],
  ])("says why %s cannot be %s", (field, text) => {
    expect(forkRequest(NAME, { [field]: text })).toMatchObject({
      field,
      error: expect.stringContaining("must be a") as string,
    });
  });
});

describe("what the server refuses of a fork", () => {
  const problem = (...violations: [string, string][]) =>
    create(ProblemSchema, {
      title: "A field cannot be accepted",
      violations: violations.map(([field, description]) => ({ field, description })),
    });

  it("is said at its field", () => {
    const refused = forkErrors(
      problem(
        ["budget.steps", "must be more than 10"],
        ["optimizer.learning_rate", "must be above 0"],
        ["display_name", "is taken"],
      ),
    );
    expect(refused.at).toEqual({
      steps: "must be more than 10",
      rate: "must be above 0",
      name: "is taken",
    });
    expect(refused.elsewhere).toBeUndefined();
  });

  it("is said in full where the dialog has no field for it", () => {
    const refused = forkErrors(problem(["checkpoint", "holds weights only"], ["data.seed", "no"]));
    expect(refused.at).toEqual({ seed: "no" });
    expect(refused.elsewhere?.violations.map(({ field }) => field)).toEqual(["checkpoint"]);
    expect(forkErrors(problem()).elsewhere?.title).toBe("A field cannot be accepted");
    expect(forkErrors(undefined)).toEqual({ at: {}, elsewhere: undefined });
  });
});

describe("a saving policy", () => {
  const run = create(RunSchema, {
    spec: { hooks: { checkpointEvery: 100, checkpointOnStop: true } },
    live: { checkpointBest: true, checkpointEvery: 50 },
  });

  it("is what was changed while it trains, else the spec", () => {
    expect(policyOf(run)).toEqual({
      every: "50",
      minutes: "0",
      logSpaced: false,
      best: true,
      onStop: true,
      weightsOnly: false,
    });
    expect(policyInWords(policyOf(run))).toBe(
      "Saved every 50 steps, at each new best validation loss, when it ends.",
    );
    const less = { ...policyOf(run), weightsOnly: true };
    expect(policyInWords(less)).toMatch(/^Weights only every 50 steps/);
    expect(policyInWords(policyOf(create(RunSchema)))).toBe("Saving is off: nothing is written.");
  });

  it("changes only what differs", () => {
    const now = policyOf(run);
    expect(changeBetween(now, now)).toEqual({});
    expect(changeBetween(now, { ...now, minutes: "2.5", best: false, weightsOnly: true })).toEqual({
      checkpointMinutes: 2.5,
      checkpointBest: false,
      checkpointWeightsOnly: true,
    });
    expect(changeBetween(now, { ...now, every: "often" })).toMatch(/whole number/);
  });
});
