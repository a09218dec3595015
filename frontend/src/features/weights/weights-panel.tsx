// What the weights themselves look like, without any text: how each tensor's numbers are spread.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { analysisQuery } from "@/api/analyses";
import { asProblem } from "@/api/problem";
import { ScaleLegend } from "@/charts/heatmap/scale-legend";
import { ValueGrid } from "@/charts/heatmap/value-grid";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { onEscape } from "@/lib/escape";
import { formatCount, formatNumber } from "@/lib/format";
import { useInView } from "@/lib/use-in-view";
import { NoAnswerYet } from "@/ui/no-answer-yet";
import { Explained } from "@/ui/explained";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import { changedMost, STATISTICS, weightRows, type Statistic } from "./weight-rows";
import styles from "./weights-panel.module.css";

const DEFINITION =
  "One row per tensor, its numbers from the smallest to the largest in 40 bins; each row has a range and a scale of its own. Matrices begin as a bell curve of deviation 0.02 and widen as they learn; a bell with one far outlier looks like a single thin line. What a shape means depends on the tensor: compare steps, not rows.";
const MEANING: Record<Statistic, string> = {
  rms: "√(mean w²)",
  mean: "Σ w ÷ n",
  deviation: "√(mean (w − mean)²)",
  smallest: "min w",
  largest: "max w",
  kurtosis: "mean (w − mean)⁴ ÷ deviation⁴: 3 for a bell curve, more with outliers",
};
const CHANGE =
  "‖w′ − w‖ ÷ ‖w‖ of the other weights w′ against these: 0 is no change, 1 is as far as the weights are long.";
const BINS = 40;
const ROW_PX = 9;
const MOST_CHANGED = 5;

export function WeightsPanel({
  model,
  other,
  className,
}: {
  model: LoadedModel | undefined;
  other?: LoadedModel | undefined;
  className?: string | undefined;
}) {
  const [hovered, setHovered] = useState<number | null>(null);
  const [locked, setLocked] = useState<number | null>(null);
  const panel = useRef<HTMLElement>(null);
  const inView = useInView(panel);
  const question = { case: "weights", value: { bins: BINS } } as const;
  const { data, error, isPlaceholderData } = useQuery({
    ...analysisQuery(model, { text: "", question, other }),
    enabled: inView && model !== undefined,
    placeholderData: keepPreviousData,
  });
  const rows = useMemo(() => (data && model ? weightRows(data) : undefined), [data, model]);
  const row = Math.min(locked ?? hovered ?? 0, (rows?.names.length ?? 1) - 1);
  const change = other ? rows?.change : undefined;
  return (
    <Panel
      ref={panel}
      title="Weights"
      definition={DEFINITION}
      className={className ?? ""}
      data-testid="weights"
      controls={
        <>
          {data && model && `step ${formatCount(data.step)}`}
          <ScaleLegend what="share of the row's fullest bin, √" low="0" high="1" />
        </>
      }
    >
      {error && <ProblemNotice problem={asProblem(error)} />}
      {rows ? (
        <div
          className={styles["columns"]}
          onKeyDown={onEscape(locked !== null, () => setLocked(null))}
        >
          <div className={styles["scroll"]} tabIndex={0} role="group" aria-label="All tensors">
            <ValueGrid
              rows={rows.names}
              columns={rows.bins}
              values={rows.histogram}
              share={Math.sqrt}
              rowPx={ROW_PX}
              chosenRow={locked}
              dimmed={isPlaceholderData}
              summary={`Histograms of ${rows.names.length} tensors; the numbers of the chosen one are listed below.`}
              onHover={(cell) => setHovered(cell?.row ?? null)}
              onPick={(cell) => setLocked((held) => (held === cell.row ? null : cell.row))}
              data-testid="weights-map"
            />
          </div>
          <div>
            <p className={styles["which"]}>
              <Select
                aria-label="Which tensor"
                value={String(row)}
                options={rows.full.map((name, index) => ({ value: String(index), label: name }))}
                onChange={(event) => setLocked(Number(event.target.value))}
                data-testid="weights-row"
              />
            </p>
            <dl className={styles["numbers"]} data-testid="weights-numbers">
              {STATISTICS.map((name) => (
                <div key={name}>
                  <dt>
                    <Explained as={MEANING[name]}>{name}</Explained>
                  </dt>
                  <dd>{formatNumber(rows.numbers[name][row])}</dd>
                </div>
              ))}
              {change && (
                <div>
                  <dt>
                    <Explained as={CHANGE}>change</Explained>
                  </dt>
                  <dd>{formatNumber(change[row])}</dd>
                </div>
              )}
            </dl>
            {change && data && (
              <p className={styles["changed"]} data-testid="weights-changed">
                changed most at step {formatCount(data.otherStep)}:{" "}
                {changedMost(change, MOST_CHANGED).map((one) => (
                  <button key={one} type="button" onClick={() => setLocked(one)}>
                    {rows.names[one]} {formatNumber(change[one])}
                  </button>
                ))}
              </p>
            )}
          </div>
        </div>
      ) : (
        <NoAnswerYet hasModel={model !== undefined} inView={inView} />
      )}
    </Panel>
  );
}
