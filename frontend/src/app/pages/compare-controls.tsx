// What is compared and along what.
import { useSyncExternalStore } from "react";
import type { LinkedWindow } from "@/charts/line/window";
import { AXES, type Axis } from "@/features/training/axis";
import { COMPARED_METRICS } from "@/features/training/compared";
import type { Metric } from "@/features/training/step-series";
import { Button } from "@/ui/button";
import { Select } from "@/ui/select";
import { Slider } from "@/ui/slider";
import { GROUPINGS, type CompareChoice, type Grouping } from "./compare-address";
import styles from "./compare.module.css";

const METRICS = COMPARED_METRICS.map(({ metric, label }) => ({ value: metric, label }));

export function CompareControls({
  choice,
  window,
  change,
}: {
  choice: CompareChoice;
  window: LinkedWindow;
  change: (part: Partial<CompareChoice>) => void;
}) {
  const { stretch } = useSyncExternalStore(window.subscribe, window.get);
  const changeAxis = (axis: Axis) => {
    window.look(null); // a stretch of steps means nothing on another axis
    change({ axis, stretch: null });
  };
  return (
    <>
      {stretch !== null && (
        <Button onClick={() => window.look(null)} data-testid="back-to-live">
          show all
        </Button>
      )}
      <label className={styles["control"]}>
        group
        <Select
          data-testid="compare-group"
          title="Runs of a group are drawn as their mean, and a band from their lowest to their highest, as far as all of them reach; of runs too long to be here whole, each point is the mean of all steps around it"
          options={GROUPINGS}
          value={choice.group}
          onChange={(event) => change({ group: event.target.value as Grouping })}
        />
      </label>
      <label className={styles["control"]}>
        y
        <Select
          data-testid="compare-metric"
          options={METRICS}
          value={choice.metric}
          onChange={(event) => change({ metric: event.target.value as Metric })}
        />
      </label>
      <label className={styles["control"]}>
        x
        <Select
          data-testid="compare-axis"
          options={AXES}
          value={choice.axis}
          onChange={(event) => changeAxis(event.target.value as Axis)}
        />
      </label>
      <span className={styles["control"]}>
        <span>smoothing {choice.smoothing.toFixed(2)}</span>
        <Slider
          label="Smoothing"
          data-testid="compare-smoothing"
          value={choice.smoothing}
          min={0}
          max={0.99}
          step={0.01}
          onChange={(smoothing) => change({ smoothing })}
        />
      </span>
      <Button
        aria-pressed={choice.logY}
        onClick={() => change({ logY: !choice.logY })}
        data-testid="compare-log-y"
      >
        log y
      </Button>
    </>
  );
}
