// The playhead on the page of a run: joined to its charts, and the way from there to the inside of that step.
import { useEffect } from "react";
import { Link } from "react-router";
import type { LinkedWindow } from "@/charts/line/window";
import { PlayheadRail } from "@/features/playhead/playhead-rail";
import { snapped } from "@/features/playhead/stops";
import { usePlayhead } from "@/features/playhead/use-playhead";
import { placeOfStep, stepAt, type Axis } from "@/features/training/axis";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import { insideAt } from "./inside-at";
import styles from "./run-rail.module.css";
import { useRail } from "./use-rail";

export function RunRail({
  run,
  window,
  axis,
}: {
  run: Run;
  /** Of the charts that the playhead is shown in and placed from. */
  window: LinkedWindow;
  axis: Axis;
}) {
  const rail = useRail(run.name, run);
  const playhead = usePlayhead(rail.stops, rail.flags);
  const { at } = playhead;
  const { series, stops } = rail;
  useEffect(() => {
    window.mark(at === null ? null : placeOfStep(series, axis, at));
  }, [window, series, axis, at]);
  useEffect(() =>
    window.onPick((x) => {
      const step = stepAt(series, axis, x);
      playhead.place(snapped(stops, step, Math.max(series.step, stops.at(-1)?.step ?? 0)));
    }),
  );
  return (
    <>
      {at !== null && (
        <p className={styles["there"]}>
          <Link to={insideAt(run.name, at)} data-testid="inside-at">
            Look inside at this step
          </Link>
        </p>
      )}
      <PlayheadRail
        rail={rail}
        playhead={playhead}
        newestStep={run.stats?.step ?? 0}
        log={axis === "log"}
        live={run.state === RunState.RUNNING}
      />
    </>
  );
}
