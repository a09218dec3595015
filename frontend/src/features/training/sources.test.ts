import { create } from "@bufbuild/protobuf";
import { expect, test, vi } from "vitest";
import { SeriesSchema, SeriesSetSchema } from "@/gen/lab/v1/series_pb";
import { lossSource } from "./sources";
import { StepMeans } from "./step-means";
import { StepSeries } from "./step-series";

test("the average of a long run is one of all its steps, not of the extremes that are here", () => {
  const series = new StepSeries();
  const extremes = { name: "loss", steps: [0, 3, 4, 7], values: [2, 9, 2, 9] };
  series.merge(create(SeriesSetSchema, { series: [extremes] }));
  const means = new StepMeans();
  const source = lossSource(series, "step", 0.5, { means });
  const drawn = vi.fn();
  source.onChange(drawn);
  const line = (name: string) => {
    const columns = source.lines().find((one) => one.name === name)?.columns;
    return Array.from(columns?.y.subarray(0, columns.length) ?? []);
  };
  const ofExtremes = line("train, smoothed");
  means.put(
    { metric: "loss", from: 0, steps: 4 },
    [0, 7],
    create(SeriesSchema, { steps: [2, 6], values: [3, 3] }),
  );
  expect(drawn).toHaveBeenCalledTimes(1);
  expect(line("train, smoothed")).toEqual([3, 3]);
  expect(ofExtremes).not.toEqual([3, 3]);
  expect(line("train")).toEqual([2, 9, 2, 9]);
});
