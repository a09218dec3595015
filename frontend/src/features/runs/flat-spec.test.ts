import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RunSchema } from "@/gen/lab/v1/run_pb";
import { RunSpecSchema, ScheduleShape } from "@/gen/lab/v1/run_spec_pb";
import { PresetSchema } from "@/gen/lab/v1/trainer_service_pb";
import { startCommand } from "./as-code";
import { flatSpec, specDifferences } from "./flat-spec";

type SpecInit = Exclude<MessageInitShape<typeof RunSpecSchema>, { $typeName: string }>;

const base: SpecInit = {
  model: { layers: 6, dropout: 0 },
  data: { corpus: "tiny-shakespeare", seed: 1337n },
  optimizer: { learningRate: 0.001, epsilon: 1e-8 },
  schedule: { shape: ScheduleShape.COSINE },
  hooks: { samplePrompts: ["ROMEO:"], checkpointOnStop: false },
};
const flat = (spec: SpecInit) => flatSpec(create(RunSpecSchema, spec));
const nano = create(PresetSchema, { name: "nano", spec: base });
const command = (change: SpecInit, preset = "nano") =>
  startCommand(create(RunSchema, { preset, spec: create(RunSpecSchema, { ...base, ...change }) }), [
    nano,
  ]);

describe("a flat spec", () => {
  it("writes every value as YAML reads it", () => {
    expect(Object.fromEntries(flat(base))).toEqual({
      "model.layers": "6",
      "model.dropout": "0",
      "data.corpus": "tiny-shakespeare",
      "data.seed": "1337",
      "optimizer.learning_rate": "0.001",
      "optimizer.epsilon": "1e-8",
      "schedule.shape": "cosine",
      "hooks.sample_prompts": '["ROMEO:"]',
      "hooks.checkpoint_on_stop": "false",
    });
  });

  it("quotes what YAML would take for something else than a text", () => {
    const corpus = (name: string) => flat({ data: { corpus: name } }).get("data.corpus");
    expect(["no", "null", "1e3", "a: b", "it's"].map(corpus)).toEqual([
      '"no"',
      '"null"',
      '"1e3"',
      '"a: b"',
      `"it's"`,
    ]);
  });

  it("differs only where not all are the same, absence included", () => {
    const other = { ...base, model: { layers: 8, dropout: 0 }, data: { seed: 1337n } };
    expect(specDifferences([flat(base), flat(other)])).toEqual([
      { path: "model.layers", values: ["6", "8"] },
      { path: "data.corpus", values: ["tiny-shakespeare", undefined] },
    ]);
    expect(specDifferences([flat(base), flat(base)])).toEqual([]);
  });
});

describe("a run as code", () => {
  it("says nothing that the preset says", () => {
    expect(command({})).toBe("lab runs start --config nano");
  });

  it("says what differs, quoted for the shell", () => {
    const change = {
      data: { corpus: "verdict", seed: 18446744073709551615n },
      hooks: { samplePrompts: ["it's", "a b"], checkpointOnStop: true },
    };
    expect(command(change).split(" \\\n  ")).toEqual([
      "lab runs start --config nano",
      "--set data.corpus=verdict",
      "--set data.seed=18446744073709551615",
      `--set 'hooks.sample_prompts=["it'\\''s","a b"]'`,
      "--set hooks.checkpoint_on_stop=true",
    ]);
  });

  it("starts from a preset that exists when the run's own is gone", () => {
    expect(command({}, "vanished")).toBe("lab runs start --config nano");
  });
});
