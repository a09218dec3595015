import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { AnalyseResponseSchema } from "@/gen/lab/v1/analysis_service_pb";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import { changedMost, shortName, STATISTICS, weightRows } from "./weight-rows";

const floats = (name: string, shape: number[], ...numbers: number[]) => ({
  name,
  tensor: { shape, dtype: Dtype.FLOAT32, data: new Uint8Array(Float32Array.from(numbers).buffer) },
});

it("reads rows, and the change where two were compared", () => {
  const tensors = [
    floats("histogram", [2, 2], 0.25, 0.75, 1, 0),
    ...STATISTICS.map((name, index) => floats(name, [2], index, -index)),
  ];
  const rows = ["transformer.wte.weight", "transformer.h.3.mlp.c_fc.bias"];
  const alone = weightRows(create(AnalyseResponseSchema, { rows, tensors }));
  expect(alone.names).toEqual(["embedding", "3 up b"]);
  expect([...alone.histogram]).toEqual([expect.closeTo(1 / 3), 1, 1, 0]);
  expect([...alone.numbers.kurtosis]).toEqual([5, -5]);
  expect(alone.change).toBe(undefined);
  const differences = [floats("change", [2], 0.1, 0.4)];
  const both = weightRows(create(AnalyseResponseSchema, { rows, tensors, differences }));
  expect(both.change && changedMost(both.change, 1)).toEqual([1]);
});

it("keeps a name it does not know", () => {
  expect(shortName("transformer.h.0.attn.c_attn.weight")).toBe("0 qkv");
  expect(shortName("transformer.h.11.ln_2.bias")).toBe("11 norm 2 b");
  expect(shortName("lm_head.weight")).toBe("head");
  expect(shortName("odd.thing")).toBe("odd.thing");
});
