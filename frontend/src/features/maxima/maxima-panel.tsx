// Where the largest numbers are: neurons that answer most strongly, dimensions of the stream that carry most.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { analysisQuery } from "@/api/analyses";
import { asProblem } from "@/api/problem";
import { SignedBars } from "@/charts/bars/signed-bars";
import { ScaleLegend } from "@/charts/heatmap/scale-legend";
import { ValueGrid } from "@/charts/heatmap/value-grid";
import type { AnalyseResponse } from "@/gen/lab/v1/analysis_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { onEscape } from "@/lib/escape";
import { formatCount, formatNumber } from "@/lib/format";
import { useInView } from "@/lib/use-in-view";
import { visibleToken } from "@/lib/token-text";
import { NoAnswerYet } from "@/ui/no-answer-yet";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import { largestByLayer, type LargestByLayer, type Where } from "./largest";
import styles from "./maxima-panel.module.css";

const DEFINITION =
  "Neurons: the numbers of each feed-forward layer after GELU, h = GELU(W norm(x)), largest first; one that answers to one kind of token only is worth a look. Stream: the numbers of the residual stream by size, |xᵢ|; a few dimensions far above all others at the first token are common and go with the attention sink. Large is not important: what a number does depends on what reads it.";
const TOP = 10;

export function MaximaPanel({
  model,
  other,
  otherRun,
  text,
  position,
}: {
  model: LoadedModel | undefined;
  other?: LoadedModel | undefined;
  /** Whose those are, where they are another run's. */
  otherRun?: string | undefined;
  text: string;
  /** The token that is held in the text; its numbers are marked. */
  position: number | null;
}) {
  const [where, setWhere] = useState<Where>("neuron");
  const [hovered, setHovered] = useState<number | null>(null);
  const [locked, setLocked] = useState<number | null>(null);
  const panel = useRef<HTMLElement>(null);
  const inView = useInView(panel);
  const question = { case: "maxima", value: { top: TOP } } as const;
  const { data, error, isPlaceholderData } = useQuery({
    ...analysisQuery(model, { text, question, other }),
    enabled: inView && model !== undefined && text !== "",
    placeholderData: keepPreviousData,
  });
  const found = useMemo(
    () => (data && model ? largestByLayer(data.tensors, where) : undefined),
    [data, model, where],
  );
  const theirs = useMemo(
    () =>
      data && other && data.otherTensors.length > 0
        ? largestByLayer(data.otherTensors, where)
        : undefined,
    [data, other, where],
  );
  const most = found?.most ?? 1;
  const share = useMemo(() => (value: number) => value / most, [most]);
  const row = Math.min(locked ?? hovered ?? 0, (found?.rows.length ?? 1) - 1);
  return (
    <Panel
      ref={panel}
      title="Largest numbers"
      definition={DEFINITION}
      data-testid="maxima"
      controls={
        <>
          {data && model && `step ${formatCount(data.step)}`}
          <Select
            aria-label="Largest of what"
            value={where}
            options={[
              { value: "neuron", label: "neurons" },
              { value: "stream", label: "residual stream" },
            ]}
            onChange={(event) => {
              setWhere(event.target.value === "stream" ? "stream" : "neuron");
              setLocked(null);
            }}
            data-testid="maxima-where"
          />
          <ScaleLegend what="size" low="0" high={formatNumber(found?.most)} />
        </>
      }
    >
      {error && <ProblemNotice problem={asProblem(error)} />}
      {found && data && text !== "" ? (
        <div onKeyDown={onEscape(locked !== null, () => setLocked(null))}>
          <ValueGrid
            rows={found.rows}
            columns={found.top}
            values={found.sizes}
            share={share}
            chosenRow={locked}
            dimmed={isPlaceholderData}
            summary={`The ${found.top} largest numbers at ${found.rows.length} places, largest first; those of the chosen one are listed below.`}
            onHover={(cell) => setHovered(cell?.row ?? null)}
            onPick={(cell) => setLocked((held) => (held === cell.row ? null : cell.row))}
            data-testid="maxima-map"
          />
          <p className={styles["note"]}>
            <Select
              aria-label="Which layer"
              value={String(row)}
              options={found.rows.map((name, index) => ({ value: String(index), label: name }))}
              onChange={(event) => setLocked(Number(event.target.value))}
            />{" "}
            {where === "neuron" ? "neuron" : "dimension"} at token
          </p>
          <div className={styles["columns"]}>
            <div>
              {theirs && <p className={styles["note"]}>step {formatCount(data.step)}</p>}
              <Row data={data} found={found} row={row} where={where} position={position} />
            </div>
            {theirs && row < theirs.rows.length && (
              <div>
                <p className={styles["note"]}>
                  {otherRun} step {formatCount(data.otherStep)}
                </p>
                <Row data={data} found={theirs} row={row} where={where} position={position} />
              </div>
            )}
          </div>
        </div>
      ) : (
        <NoAnswerYet hasModel={model !== undefined} hasText={text !== ""} inView={inView} />
      )}
    </Panel>
  );
}

function Row({
  data,
  found,
  row,
  where,
  position,
}: {
  data: AnalyseResponse;
  found: LargestByLayer;
  row: number;
  where: Where;
  position: number | null;
}) {
  const largest = found.of(row);
  const here = largest.findIndex(({ place }) => place === position);
  return (
    <SignedBars
      bars={largest.map(({ id, place, value }) => ({
        name: `${id} · ${place} ${visibleToken(data.tokens[place]?.text ?? "")}`,
        value,
      }))}
      most={found.most}
      format={formatNumber}
      chosen={here < 0 ? null : here}
      label={`Largest numbers, ${found.rows[row] ?? ""}`}
      data-testid={`maxima-${where}`}
    />
  );
}
