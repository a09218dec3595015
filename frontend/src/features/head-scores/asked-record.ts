// What a model says of its heads when it is asked, in the form of what a run records of itself. Pure.
import { create } from "@bufbuild/protobuf";
import { tensorNamed } from "@/api/tensors";
import { HeadScoresSchema, ProbeRecordSchema, type ProbeRecord } from "@/gen/lab/v1/recording_pb";
import type { NamedTensor } from "@/gen/lab/v1/tensor_pb";
import { BEHAVIOURS } from "./lesson";

/** Of the answer to a question about heads; the scores on real text are missing where no text was read. */
export function askedRecord(tensors: readonly NamedTensor[], step: number): ProbeRecord {
  const [layers = 0, heads = 0] = tensorNamed(tensors, "synthetic_entropy").shape;
  return create(ProbeRecordSchema, {
    step,
    layers,
    heads,
    synthetic: scoresOn("synthetic", tensors),
    natural: tensors.some(({ name }) => name === "natural_entropy")
      ? scoresOn("natural", tensors)
      : undefined,
  });
}

function scoresOn(probe: "synthetic" | "natural", tensors: readonly NamedTensor[]) {
  const of = (name: string) => [...tensorNamed(tensors, `${probe}_${name}`).values];
  return create(HeadScoresSchema, {
    behaviours: BEHAVIOURS,
    raw: of("raw"),
    corrected: of("corrected"),
    sinkFree: of("sink_free"),
    entropy: of("entropy"),
    distance: of("distance"),
  });
}
