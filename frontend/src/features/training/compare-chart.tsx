// One metric of several runs, overlaid; and how far each lies from a baseline.
import { useMemo } from "react";
import { LineChart } from "@/charts/line/line-chart";
import type { LinkedWindow } from "@/charts/line/window";
import { formatCount } from "@/lib/format";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { formatAxis } from "./axis";
import {
  COMPARED_METRICS,
  comparedSource,
  differenceSource,
  smoothingOf,
  type ComparedCurve,
  type ComparedView,
} from "./compared";
import { groupedDifference, groupedSource, type CurveGroup } from "./grouped";

const HEIGHT = 380;
const DIFFERENCE_HEIGHT = 180;
const DIFFERENCE =
  "The curve minus the baseline at the same place, told only where both have points. Below 0 it is lower than the baseline there; a line that stays below has a lead, one that falls is gaining.";

export function CompareChart({
  curves,
  groups,
  baseline,
  view,
  logY,
  window,
  controls,
}: {
  /** Those that are not hidden. */
  curves: readonly ComparedCurve[];
  /** The same, where several are drawn as one. */
  groups: readonly CurveGroup[] | undefined;
  baseline: ComparedCurve | undefined;
  view: ComparedView;
  logY: boolean;
  window: LinkedWindow;
  controls: React.ReactNode;
}) {
  const source = useMemo(
    () => (groups ? groupedSource(groups, view) : comparedSource(curves, view)),
    [curves, groups, view],
  );
  const base = groups?.find((group) => baseline && group.curves.includes(baseline));
  const apart = useMemo(() => {
    if (groups) return base && groupedDifference(groups, base, view);
    return baseline && differenceSource(curves, baseline, view);
  }, [curves, groups, baseline, base, view]);
  const metric = COMPARED_METRICS.find((one) => one.metric === view.metric) ?? COMPARED_METRICS[0];
  const options = useMemo(
    () => ({
      logY,
      references: [],
      formatX: (x: number) => formatAxis(view.axis, x),
      wholeX: view.axis === "log",
      formatY: (y: number) => metric?.format(y) ?? "",
      formatTickY: (y: number, distance: number) => metric?.formatTick(y, distance) ?? "",
      tickFactor: metric?.tickFactor ?? 1,
    }),
    [logY, view.axis, metric],
  );
  const apartOptions = useMemo(
    () => ({ ...options, logY: false, references: [{ name: "the same", y: 0 }] }),
    [options],
  );
  const label = metric?.label ?? "";
  const how = smoothingOf(view) > 0 ? `, debiased average ${view.smoothing.toFixed(2)}` : "";
  const baseName =
    base && base.curves.length > 1
      ? `the mean of ${formatCount(base.curves.length)} runs (${base.label})`
      : baseline?.label;
  const others = groups
    ? groups.length - (base ? 1 : 0)
    : curves.filter((curve) => curve !== baseline).length;
  return (
    <>
      <Panel title={`${label}${how}`} definition={metric?.definition} flush controls={controls}>
        <LineChart
          label={`${label} of ${formatCount(curves.length)} runs`}
          data-testid="compare-chart"
          summary={`${label} of ${curves.map((curve) => curve.label).join(", ")} along ${view.axis}.`}
          source={source}
          window={window}
          height={HEIGHT}
          options={options}
        />
      </Panel>
      {baseline && apart && (
        <Panel title={`${label}${how}: difference from ${baseName}`} definition={DIFFERENCE} flush>
          {others === 0 ? (
            <EmptyState title="No other run is shown" />
          ) : (
            <LineChart
              label={`Difference of ${label} from ${baseName}`}
              data-testid="difference-chart"
              summary={`${label} minus that of ${baseName}, where both have points; below 0 is lower.`}
              source={apart}
              window={window}
              height={DIFFERENCE_HEIGHT}
              options={apartOptions}
            />
          )}
        </Panel>
      )}
    </>
  );
}
