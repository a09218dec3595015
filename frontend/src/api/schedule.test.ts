// The preview's curve against the table that the trainer's must meet as well.
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RunSpecSchema, ScheduleShape } from "@/gen/lab/v1/run_spec_pb";
import table from "./schedule-points.json";
import { learningRate } from "./schedule";

const SHAPES: Record<string, ScheduleShape> = {
  constant: ScheduleShape.CONSTANT,
  cosine: ScheduleShape.COSINE,
  linear: ScheduleShape.LINEAR,
  wsd: ScheduleShape.WSD,
};

describe("the learning rate", () => {
  it.each(table)("$name", (entry) => {
    const spec = create(RunSpecSchema, {
      optimizer: { learningRate: entry.learning_rate },
      schedule: {
        shape: SHAPES[entry.shape] ?? ScheduleShape.UNSPECIFIED,
        warmupSteps: entry.warmup_steps,
        floor: entry.floor,
        decayShare: entry.decay_share,
      },
      budget: { steps: entry.steps },
    });
    expect(entry.points.length).toBeGreaterThan(0);
    for (const [step = 0, rate = 0] of entry.points) {
      expect(learningRate(spec, step)).toBeCloseTo(rate, 12);
    }
  });
});
