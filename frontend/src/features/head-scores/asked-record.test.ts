import { expect, it } from "vitest";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import type { NamedTensor } from "@/gen/lab/v1/tensor_pb";
import { create } from "@bufbuild/protobuf";
import { AnalyseResponseSchema } from "@/gen/lab/v1/analysis_service_pb";
import { askedRecord } from "./asked-record";
import { changeOf, headTimeline, labelOf } from "./head-timeline";

// One layer of two heads, five behaviours each: one head copies what came before, the other does nothing.
function answer(probes: readonly string[], induction: number): NamedTensor[] {
  const scores = [0, 0, induction, 0, 0, 0, 0, 0, 0, 0];
  const floats = (name: string, shape: number[], numbers: number[]) => {
    const data = new Uint8Array(Float32Array.from(numbers).buffer);
    return { name, tensor: { shape, dtype: Dtype.FLOAT32, data } };
  };
  const tensors = probes.flatMap((probe) => [
    floats(`${probe}_raw`, [1, 2, 5], scores),
    floats(`${probe}_corrected`, [1, 2, 5], scores),
    floats(`${probe}_sink_free`, [1, 2, 5], scores),
    floats(`${probe}_entropy`, [1, 2], [0.5, 1]),
    floats(`${probe}_distance`, [1, 2], [3, 4]),
  ]);
  return create(AnalyseResponseSchema, { tensors }).tensors;
}

it("reads a model's answer as a record, which is named and compared as any", () => {
  const mine = askedRecord(answer(["synthetic", "natural"], 0.75), 20);
  const theirs = askedRecord(answer(["synthetic"], 0.5), 8);
  expect(mine).toMatchObject({ step: 20, layers: 1, heads: 2 });
  expect(labelOf(mine, 0)).toEqual({ name: "induction", both: true });
  expect(labelOf(theirs, 0)).toEqual({ name: "induction", both: false });
  const asked = { probe: "synthetic", measure: "induction", variant: "corrected" } as const;
  const both = headTimeline([mine, theirs], asked);
  expect(both.steps).toEqual([20, 8]);
  expect([...changeOf(both, 0, 1)]).toEqual([-0.25, 0]);
  const spread = headTimeline([mine, theirs], { ...asked, measure: "distance" });
  expect([...spread.scores]).toEqual([3, 3, 4, 4]);
  const natural = headTimeline([mine, theirs], { ...asked, probe: "natural" });
  expect([...natural.scores]).toEqual([0.75, NaN, 0, NaN]);
});
