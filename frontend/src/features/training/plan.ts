// The learning rate that is still to come: the schedule of the spec, times what was changed while it trains.
import { learningRate } from "@/api/schedule";
import type { Columns } from "@/charts/line/columns";
import type { Run } from "@/gen/lab/v1/run_pb";
import type { Axis } from "./axis";

const POINTS = 240;
const NOTHING: Columns = { x: new Float64Array(0), y: new Float64Array(0), length: 0 };

/** Nothing along the time axis: when a step will be made is not known before it is. */
export function plannedRate(run: Run, fromStep: number, axis: Axis): Columns {
  const { spec, live } = run;
  const last = spec?.budget?.steps ?? 0;
  const from = Math.max(1, fromStep);
  if (!spec || axis === "time" || from >= last) return NOTHING;
  const scale = live?.learningRateScale ?? 1;
  const perStep = (spec.budget?.batch ?? 0) * (spec.model?.context ?? 0);
  const place = (step: number) =>
    axis === "log" ? Math.log10(step) : axis === "tokens" ? step * perStep : step;
  const x = new Float64Array(POINTS + 1);
  const y = new Float64Array(POINTS + 1);
  for (let i = 0; i <= POINTS; i += 1) {
    const step = from + ((last - from) * i) / POINTS;
    x[i] = place(step);
    y[i] = learningRate(spec, step) * scale;
  }
  return { x, y, length: POINTS + 1 };
}
