import { create, toJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RunSpecSchema, ScheduleShape } from "@/gen/lab/v1/run_spec_pb";
import { PresetSchema } from "@/gen/lab/v1/trainer_service_pb";
import { composeRequest, draftOfSpec, fieldText, NEW_DRAFT, specJson, withSetting } from "./draft";
import { learningRate } from "@/api/schedule";

const nano = create(PresetSchema, {
  name: "nano",
  spec: {
    optimizer: { learningRate: 0.001 },
    budget: { batch: 8, steps: 600 },
    data: { corpus: "tiny-shakespeare", seed: 1337n },
    hooks: { samplePrompts: ["ROMEO:"], checkpointOnStop: false },
    schedule: { shape: ScheduleShape.COSINE, warmupSteps: 40, floor: 0.1 },
  },
});
const draft = { ...NEW_DRAFT, preset: "nano" };

function overrides(change: Partial<typeof draft>) {
  const { request, errors } = composeRequest({ ...draft, ...change }, [nano]);
  const spec =
    request.overrides && toJson(RunSpecSchema, request.overrides, { useProtoFieldName: true });
  return { spec, errors };
}

describe("the request of the form", () => {
  it("sends nothing that was not changed", () => {
    expect(overrides({})).toEqual({ spec: {}, errors: {} });
    expect(overrides({ changed: { "budget.batch": "8" } }).spec).toEqual({});
  });

  it("sends each changed field at its place", () => {
    const { spec } = overrides({
      changed: {
        "optimizer.learning_rate": "6e-4",
        "budget.batch": "16",
        "data.seed": "18446744073709551615",
        "hooks.checkpoint_on_stop": "true",
        "schedule.shape": "SCHEDULE_SHAPE_LINEAR",
      },
      corpus: "verdict",
      length: "epochs",
      epochs: "1.5",
      prompts: "JULIET:\nNURSE:",
    });
    expect(spec).toEqual({
      optimizer: { learning_rate: 0.0006 },
      budget: { batch: 16, epochs: 1.5 },
      data: { corpus: "verdict", seed: "18446744073709551615" },
      hooks: { checkpoint_on_stop: true, sample_prompts: ["JULIET:", "NURSE:"] },
      schedule: { shape: "SCHEDULE_SHAPE_LINEAR" },
    });
  });

  it("sends numbers that are merely wrong, because their limits are the server's business", () => {
    expect(overrides({ changed: { "optimizer.learning_rate": "-1" } })).toEqual({
      spec: { optimizer: { learning_rate: -1 } },
      errors: {},
    });
    expect(overrides({ changed: { "budget.batch": "0" } }).spec).toEqual({ budget: { batch: 0 } });
  });

  it.each([
    ["budget.batch", "-3"],
    ["budget.batch", "1.5"],
    ["budget.batch", ""],
    ["budget.batch", "99999999999"],
    ["data.seed", "99999999999999999999"],
    ["optimizer.learning_rate", "fast"],
    ["optimizer.learning_rate", ""],
    ["optimizer.learning_rate", "Infinity"],
  ])("names the field when %s is %j, which cannot be sent", (path, text) => {
    const { spec, errors } = overrides({ changed: { [path]: text } });
    expect(Object.keys(errors)).toEqual([path]);
    expect(spec).toEqual({});
  });

  it("shows what was typed, else the preset's value", () => {
    const preset = specJson(nano.spec);
    expect(fieldText(draft, preset, "optimizer.learning_rate")).toBe("0.001");
    expect(fieldText(draft, preset, "data.seed")).toBe("1337");
    expect(fieldText(draft, preset, "schedule.shape")).toBe("SCHEDULE_SHAPE_COSINE");
    expect(fieldText(draft, preset, "hooks.checkpoint_on_stop")).toBe("false");
    expect(fieldText(draft, preset, "budget.threads")).toBe("");
    const typed = { ...draft, changed: { "optimizer.learning_rate": "" } };
    expect(fieldText(typed, preset, "optimizer.learning_rate")).toBe("");
  });
});

describe("the previewed learning rate", () => {
  it("warms up to the peak and ends at the floor", () => {
    const spec = nano.spec;
    if (!spec) throw new Error("no spec");
    expect(learningRate(spec, 1)).toBeCloseTo(0.001 / 40, 12);
    expect(learningRate(spec, 40)).toBeCloseTo(0.001, 12);
    expect(learningRate(spec, 41)).toBeCloseTo(0.001, 12);
    expect(learningRate(spec, 600)).toBeCloseTo(0.0001, 12);
  });

  it("is never anything but a number at the edges", () => {
    const tiny = create(RunSpecSchema, {
      optimizer: { learningRate: 1 },
      budget: { steps: 1 },
      schedule: { shape: ScheduleShape.LINEAR, warmupSteps: 0, floor: 0 },
    });
    expect(learningRate(tiny, 1)).toBe(1);
  });
});

describe("a form that begins with another run's spec", () => {
  const spec = create(RunSpecSchema, {
    optimizer: { learningRate: 0.002, beta2: 0.99 },
    budget: { batch: 8, steps: 50 },
    data: { corpus: "verdict", seed: 1337n },
    hooks: { samplePrompts: ["A", "B"], checkpointOnStop: false },
  });

  it("holds exactly what differs from the preset, also what it has no field for", () => {
    const copy = draftOfSpec(nano, spec);
    expect(copy).toMatchObject({ preset: "nano", corpus: "verdict", length: "steps", steps: "50" });
    expect(copy.changed).toEqual({ "optimizer.learning_rate": "0.002" });
    expect(copy.beside).toEqual({ "optimizer.beta2": 0.99 });
    expect(copy.prompts).toBe("A\nB");
  });

  it("asks for that spec again", () => {
    const { request, errors } = composeRequest(draftOfSpec(nano, spec), [nano]);
    expect(errors).toEqual({});
    expect(toJson(RunSpecSchema, request.overrides ?? create(RunSpecSchema))).toEqual({
      optimizer: { learningRate: 0.002, beta2: 0.99 },
      budget: { steps: 50 },
      data: { corpus: "verdict" },
      hooks: { samplePrompts: ["A", "B"] },
    });
  });

  it("keeps a prompt of several lines whole", () => {
    const told = withSetting(draft, "hooks.sample_prompts", ["To be\nor not"]);
    expect(told.prompts).toBeUndefined();
    const { request } = composeRequest(told, [nano]);
    expect(request.overrides?.hooks?.samplePrompts).toEqual(["To be\nor not"]);
  });
});

describe("tags", () => {
  it("are words with commas between", () => {
    const { request } = composeRequest({ ...draft, tags: " a, lesson 2 ,," }, [nano]);
    expect(request.tags).toEqual(["a", "lesson 2"]);
  });
});
