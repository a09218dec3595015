// The loss: raw faint, smoothed bold, validation as points, and the line of blind guessing.
import { useMemo, useSyncExternalStore, type Ref } from "react";
import { LineChart } from "@/charts/line/line-chart";
import type { ChartPicture } from "@/charts/line/picture";
import type { Marker } from "@/charts/line/markers";
import type { Reference } from "@/charts/line/draw";
import type { LossPrediction } from "@/gen/lab/v1/run_pb";
import type { LinkedWindow } from "@/charts/line/window";
import { formatCount, formatLoss, formatTick } from "@/lib/format";
import { useShortcut } from "@/lib/use-shortcut";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { Select } from "@/ui/select";
import { Slider } from "@/ui/slider";
import { AXES, formatAxis, type Axis } from "./axis";
import { useChartSettings } from "./chart-settings";
import styles from "./loss-chart.module.css";
import { goingOn, type Inherited } from "./inherited";
import { DEFINITIONS } from "./lesson";
import { meanMiss } from "./prediction";
import { lossSource } from "./sources";
import type { StepSeries } from "./step-series";
import { useIncomplete, useMeans } from "./use-means";
import { useSeriesVersion } from "./use-series-version";

const HEIGHT = 340;
const LEAST_SPAN_NATS = 0.2; // from batch to batch the loss moves by about as much
const SUMMARY_EVERY_MS = 2000;
const MOST_SMOOTHING = 0.99;

export function LossChart({
  run,
  series,
  window,
  vocabulary,
  unigram,
  prediction,
  inherited,
  markers,
  picture,
}: {
  /** "runs/{run}" */
  run: string;
  series: StepSeries;
  window: LinkedWindow;
  vocabulary: number;
  /** Entropy of the corpus's word counts; undefined when it was never counted. */
  unigram: number | undefined;
  prediction: LossPrediction | undefined;
  /** Drawn before its own curve, fainter. */
  inherited: Inherited | undefined;
  /** What happened beside the curve. */
  markers: readonly Marker[];
  picture?: Ref<ChartPicture>;
}) {
  const { axis, logLoss, clipLoss, smoothing, set } = useChartSettings();
  const { stretch } = useSyncExternalStore(window.subscribe, window.get);
  // Of a long run the extremes are here; the average is one of all its steps.
  const wanted = useIncomplete(series) && smoothing > 0;
  const held = useMeans(run, series, window, { metric: "loss", axis, wanted });
  const means = wanted ? held : undefined;
  const source = useMemo(
    () =>
      goingOn(
        lossSource(series, axis, smoothing, { prediction, before: inherited?.series, means }),
        inherited,
        axis,
        (earlier) => lossSource(earlier, axis, smoothing),
      ),
    [series, axis, smoothing, prediction, inherited, means],
  );
  const options = useMemo(
    () => ({
      logY: logLoss,
      references: referencesOf(vocabulary, unigram),
      markers,
      clip: clipLoss,
      formatX: (x: number) => formatAxis(axis, x),
      wholeX: axis === "log",
      formatY: formatLoss,
      formatTickY: formatTick,
      tickFactor: 1,
      leastSpan: LEAST_SPAN_NATS,
    }),
    [axis, logLoss, clipLoss, vocabulary, unigram, markers],
  );
  useShortcut("l", "Back to live: the charts follow the newest step", () => window.look(null));
  useShortcut("0", "Show all steps", () => window.look(null));
  useShortcut("g", "Loss on a log scale or a plain one", () => set({ logLoss: !logLoss }));
  const changeAxis = (next: Axis) => {
    window.look(null); // a stretch of steps means nothing on another axis
    set({ axis: next });
  };
  return (
    <Panel
      title="Loss"
      definition={DEFINITIONS.lossChart}
      flush
      controls={
        <>
          {stretch !== null && (
            <Button
              className={styles["chip"]}
              onClick={() => window.look(null)}
              data-testid="back-to-live"
            >
              back to live
            </Button>
          )}
          <span className={styles["control"]}>
            <span>smoothing {smoothing.toFixed(2)}</span>
            <Slider
              label="Smoothing"
              data-testid="smoothing"
              value={smoothing}
              min={0}
              max={MOST_SMOOTHING}
              step={0.01}
              onChange={(next) => set({ smoothing: next })}
            />
          </span>
          <label className={styles["control"]}>
            x
            <Select
              data-testid="x-axis"
              options={AXES}
              value={axis}
              onChange={(event) => changeAxis(event.target.value as Axis)}
            />
          </label>
          <Button
            aria-pressed={logLoss}
            onClick={() => set({ logLoss: !logLoss })}
            data-testid="log-y"
          >
            log y
          </Button>
          <Button
            aria-pressed={clipLoss}
            title="Show the height from the 5th to the 95th percentile of what is in sight"
            onClick={() => set({ clipLoss: !clipLoss })}
            data-testid="clip-y"
          >
            5–95 %
          </Button>
        </>
      }
    >
      <div className={styles["chart"]}>
        <LineChart
          label="Loss"
          data-testid="loss-chart"
          summary={useSummary(series)}
          source={source}
          window={window}
          height={HEIGHT}
          options={options}
          picture={picture}
        />
      </div>
      <ul className={styles["legend"]} aria-label="Legend">
        <li>
          <i className={styles["faint"]} /> train, raw
        </li>
        {smoothing > 0 && (
          <li>
            <i className={styles["bold"]} /> train, debiased average {smoothing.toFixed(2)}
          </li>
        )}
        <li>
          <i className={styles["diamond"]} /> validation
        </li>
        {inherited && (
          <li data-testid="inherited-note">
            <i className={styles["before"]} /> inherited, up to the fork at step{" "}
            {formatCount(inherited.forkStep)}
          </li>
        )}
        {prediction && <PredictionNote prediction={prediction} series={series} />}
        {clipLoss ? (
          <li className={styles["hint"]} data-testid="clip-note">
            height: 5th to 95th percentile; what lies outside is ticked at the edge
          </li>
        ) : (
          <li className={styles["hint"]}>drag zooms · double-click shows all</li>
        )}
      </ul>
    </Panel>
  );
}

function referencesOf(vocabulary: number, unigram: number | undefined): Reference[] {
  const references: Reference[] = [];
  if (vocabulary > 1) {
    const name = `ln ${formatCount(vocabulary)}, blind guess`;
    references.push({ name, y: Math.log(vocabulary) });
  }
  if (unigram !== undefined) references.push({ name: "unigram, words counted", y: unigram });
  return references;
}

function PredictionNote({
  prediction,
  series,
}: {
  prediction: LossPrediction;
  series: StepSeries;
}) {
  useSeriesVersion(series, SUMMARY_EVERY_MS);
  const miss = meanMiss(prediction, series);
  return (
    <li data-testid="prediction-note">
      <i className={styles["dashed"]} /> predicted
      {miss !== undefined && `, off by ${formatLoss(miss)} nats on average`}
    </li>
  );
}

function useSummary(series: StepSeries): string {
  useSeriesVersion(series, SUMMARY_EVERY_MS);
  const loss = series.column("loss");
  if (loss.length === 0) return "No step has been measured yet.";
  const validation = series.column("validation_loss");
  const first = `${formatCount(loss.length)} points from step ${formatCount(loss.x[0])}, loss ${formatLoss(loss.y[0])}, to step ${formatCount(loss.lastStep)}, loss ${formatLoss(loss.last)}.`;
  return validation.length === 0
    ? first
    : `${first} Newest validation loss ${formatLoss(validation.last)} at step ${formatCount(validation.lastStep)}.`;
}
