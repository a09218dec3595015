import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RunSchema } from "@/gen/lab/v1/run_pb";
import { groupOf } from "./use-groups";

describe("groups of runs", () => {
  it("are made of runs with equal tags, or with equal settings but for the seed", () => {
    const run = (seed: bigint, rate: number, tags: string[]) =>
      create(RunSchema, { tags, spec: { data: { seed }, optimizer: { learningRate: rate } } });
    const key = (of: ReturnType<typeof run>, by: "seed" | "tags") => groupOf(of, by, "x").key;
    expect(key(run(1n, 0.1, []), "seed")).toBe(key(run(2n, 0.1, ["t"]), "seed"));
    expect(key(run(1n, 0.1, []), "seed")).not.toBe(key(run(1n, 0.2, []), "seed"));
    expect(key(run(1n, 0.1, ["t"]), "tags")).toBe(key(run(2n, 0.2, ["t"]), "tags"));
    expect(key(run(1n, 0.1, ["t"]), "tags")).not.toBe(key(run(1n, 0.1, []), "tags"));
  });
});
