// The scorecard of all heads at the playhead and over the run, from the run's own probe records. Where there are none, and
// for weights of another run, models are asked.
import { useMemo, useRef, useState } from "react";
import { asProblem } from "@/api/problem";
import type { HeadPlace } from "@/charts/heatmap/grid-geometry";
import { ScaleLegend } from "@/charts/heatmap/scale-legend";
import type { ProbeRecord } from "@/gen/lab/v1/recording_pb";
import { formatCount, formatNumber } from "@/lib/format";
import { useInView } from "@/lib/use-in-view";
import { Explained } from "@/ui/explained";
import { NoRecordYet } from "@/ui/no-record-yet";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import {
  changeOf,
  columnAt,
  fastestChanging,
  headTimeline,
  labelOf,
  scoreAt,
  type HeadTimeline,
  type Probe,
} from "./head-timeline";
import styles from "./head-scores-panel.module.css";
import { CAVEAT, MEASURES, VARIANTS, type Measure, type Variant } from "./lesson";
import { ScoreGrid } from "./score-grid";
import { useAskedScores, type WeightsToAsk } from "./use-asked-scores";

const CHANGE_OVER = 5;
const CHANGED_SHOWN = 4;

export function HeadScoresPanel({
  records: recorded,
  loading,
  at,
  against,
  weights,
  every,
  chosen,
  onChoose,
}: {
  /** By step, rising, with scores. */
  records: readonly ProbeRecord[];
  /** They are on their way. */
  loading: boolean;
  /** Where the playhead stands; null at the live end. */
  at: number | null;
  /** A step of the run that is compared with, null its newest: colours then tell by how much its scores are more. */
  against?: number | null | undefined;
  /** Asked where nothing was recorded, and when compared with another run's. */
  weights?: WeightsToAsk | undefined;
  /** Steps between two records; 0 when none are made. */
  every: number;
  chosen: HeadPlace | null;
  onChoose: (place: HeadPlace) => void;
}) {
  const [measure, setMeasure] = useState<Measure>("previous");
  const [variant, setVariant] = useState<Variant>("corrected");
  const [probe, setProbe] = useState<Probe>("synthetic");
  const [hovered, setHovered] = useState<HeadPlace | null>(null);
  const panel = useRef<HTMLElement>(null);
  const inView = useInView(panel);
  const bare = recorded.length === 0 && !loading;
  const apart = weights?.other !== undefined;
  const asked = useAskedScores(weights, { wanted: inView && (bare || apart) });
  const records = useMemo(
    () => (bare && asked.mine ? [asked.mine] : recorded),
    [bare, asked.mine, recorded],
  );
  const timeline = useMemo(
    () => headTimeline(records, { probe, measure, variant }),
    [records, probe, measure, variant],
  );
  const column = columnAt(records, bare ? null : at);
  const record = records[column];
  const compared = useMemo<Compared | null>(() => {
    if (asked.mine && asked.theirs) {
      const pair = headTimeline([asked.mine, asked.theirs], { probe, measure, variant });
      return { timeline: pair, column: 0, other: 1 };
    }
    if (against === undefined || bare) return null;
    return { timeline, column, other: columnAt(records, against) };
  }, [asked.mine, asked.theirs, probe, measure, variant, against, bare, timeline, column, records]);
  const changes = useMemo(
    () => compared && changeOf(compared.timeline, compared.column, compared.other),
    [compared],
  );
  const labels = useMemo(() => {
    const count = timeline.layers * timeline.heads;
    return Array.from({ length: count }, (_, head) => (record ? labelOf(record, head) : null));
  }, [timeline, record]);
  const high = useMemo(() => (measure === "distance" ? largest(timeline) : 1), [measure, timeline]);
  const read = hovered ?? chosen;
  const controls = (
    <>
      <Select
        aria-label="Score"
        value={measure}
        options={Object.keys(MEASURES).map((value) => ({ value, label: value }))}
        onChange={(event) => setMeasure(event.target.value as Measure)}
        data-testid="score-measure"
      />
      <Select
        aria-label="How the score is counted"
        value={variant}
        disabled={measure === "entropy" || measure === "distance"}
        options={Object.entries(VARIANTS).map(([value, label]) => ({ value, label }))}
        onChange={(event) => setVariant(event.target.value as Variant)}
        data-testid="score-variant"
      />
      <Select
        aria-label="Measured on"
        value={probe}
        options={[
          { value: "synthetic", label: "random tokens, twice" },
          { value: "natural", label: "real text" },
        ]}
        onChange={(event) => setProbe(event.target.value as Probe)}
        data-testid="score-probe"
      />
    </>
  );
  return (
    <Panel
      ref={panel}
      title="Head scorecard"
      definition={`${MEASURES[measure]} ${CAVEAT}`}
      controls={
        <>
          {record && `step ${formatCount(record.step)}`}
          {controls}
        </>
      }
      data-testid="head-scores"
    >
      {asked.error && <ProblemNotice problem={asProblem(asked.error)} />}
      {records.length === 0 ? (
        <NoRecordYet loading={loading} every={every} />
      ) : (
        <>
          <ScoreGrid
            timeline={timeline}
            column={column}
            high={high}
            changes={changes}
            dimmed={asked.old && (bare || apart)}
            labels={labels}
            chosen={chosen}
            onHover={setHovered}
            onChoose={onChoose}
          />
          <div className={styles["foot"]}>
            <p data-testid="score-readout">
              {read === null ? (
                "hover a head"
              ) : (
                <Reading
                  {...(compared ?? { timeline, column, other: null })}
                  {...{ record, read }}
                />
              )}
            </p>
            {compared === null ? (
              <ScaleLegend what="score" low="0" high={formatNumber(high)} />
            ) : (
              <ScaleLegend
                what={`score ${asked.theirs ? `of ${weights?.otherRun ?? "the other"} ` : ""}at step ${formatCount(compared.timeline.steps[compared.other])} less that`}
                low={`−${formatNumber(high)}`}
                high={`+${formatNumber(high)}`}
                diverging
              />
            )}
          </div>
          {weights?.otherRun !== undefined && weights.model === undefined && (
            <p className={styles["changed"]} data-testid="scores-need-weights">
              Compared with another run&apos;s where weights were kept: both models are then asked.
            </p>
          )}
          <p className={styles["changed"]} hidden={records.length < 2}>
            changing fastest:{" "}
            {fastestChanging(timeline, CHANGE_OVER)
              .slice(0, CHANGED_SHOWN)
              .map((head) => (
                <button
                  key={head}
                  type="button"
                  onClick={() =>
                    onChoose({
                      layer: Math.floor(head / timeline.heads),
                      head: head % timeline.heads,
                    })
                  }
                >
                  {Math.floor(head / timeline.heads)}.{head % timeline.heads}
                </button>
              ))}
          </p>
        </>
      )}
    </Panel>
  );
}

/** Two columns of a timeline, the second of which is compared with. */
interface Compared {
  readonly timeline: HeadTimeline;
  readonly column: number;
  readonly other: number;
}

function Reading({
  timeline,
  column,
  other,
  record,
  read,
}: {
  timeline: HeadTimeline;
  column: number;
  other: number | null;
  record: ProbeRecord | undefined;
  read: HeadPlace;
}) {
  const head = read.layer * timeline.heads + read.head;
  const score = scoreAt(timeline, head, column);
  const there = other === null ? NaN : scoreAt(timeline, head, other);
  const label = record ? labelOf(record, head) : null;
  return (
    <>
      head {read.layer}.{read.head} at step {formatCount(timeline.steps[column])}:{" "}
      <strong>{Number.isNaN(score) ? "the text cannot tell" : twoDigits(score)}</strong>{" "}
      {other !== null &&
        !Number.isNaN(there) &&
        `(${twoDigits(there)} at step ${formatCount(timeline.steps[other])}) `}
      <Explained as={CAVEAT}>
        {label === null ? "unlabelled" : label.both ? label.name : `${label.name}, synthetic only`}
      </Explained>
    </>
  );
}

function largest({ scores }: HeadTimeline): number {
  let most = 0;
  for (const score of scores) if (score > most) most = score;
  return most || 1;
}

/** Without the sign of a zero, and with a minus as everywhere beside it. */
function twoDigits(score: number): string {
  return (Math.round(score * 100) / 100 + 0).toFixed(2).replace("-", "−");
}
