// How large the residual stream of each token is, from the embedding to the end.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { analysisQuery } from "@/api/analyses";
import { asProblem } from "@/api/problem";
import { Bars } from "@/charts/bars/bars";
import { signed } from "@/charts/bars/signed-bars";
import { DIVERGING, VIRIDIS } from "@/charts/heatmap/palette";
import { ScaleLegend } from "@/charts/heatmap/scale-legend";
import { ValueGrid, type GridCell } from "@/charts/heatmap/value-grid";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { formatCount, formatNumber } from "@/lib/format";
import { useInView } from "@/lib/use-in-view";
import { visibleToken } from "@/lib/token-text";
import { NoAnswerYet } from "@/ui/no-answer-yet";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import styles from "./activations-panel.module.css";
import { differenceOfNorms, streamNorms } from "./stream-norms";

const DEFINITION =
  "Length ‖x‖ of each token's vector after the embedding and, in each block, after attention and after the feed-forward layer were added. Growth with depth is normal; one token far above the others is often the attention sink. Size is not meaning: the norm before each layer divides it out.";

export interface ActivationsAsked {
  readonly model: LoadedModel | undefined;
  readonly other?: LoadedModel | undefined;
}

export function activationsQuery({ model, other }: ActivationsAsked, text: string) {
  const question = { case: "activations", value: {} } as const;
  return analysisQuery(model, { text, question, other });
}

export function ActivationsPanel({
  model,
  other,
  text,
  old = false,
}: ActivationsAsked & {
  text: string;
  /** The weights are those of another step, shown until the wanted ones are there. */
  old?: boolean;
}) {
  const panel = useRef<HTMLElement>(null);
  const inView = useInView(panel);
  const { data, error, isPlaceholderData } = useQuery({
    ...activationsQuery({ model, other }, text),
    enabled: inView && model !== undefined && text !== "",
    placeholderData: keepPreviousData,
  });
  const compared = data !== undefined && data.otherTensors.length > 0;
  const norms = useMemo(() => {
    if (!data || !model) return undefined;
    const mine = streamNorms(data.tensors);
    return compared ? differenceOfNorms(mine, streamNorms(data.otherTensors)) : mine;
  }, [data, model, compared]);
  const share = useMemo(() => {
    const largest = norms?.largest ?? 1;
    // Of differences 0 is in the middle.
    return (value: number) => (compared ? (1 + value / largest) / 2 : value / largest);
  }, [norms, compared]);
  const [at, setAt] = useState<GridCell | null>(null);
  // Without a pointer the last token is read, which has the whole text before it.
  const column = at?.column ?? (norms ? norms.tokens - 1 : 0);
  return (
    <Panel
      ref={panel}
      title="Activations"
      definition={DEFINITION}
      data-testid="activations"
      controls={
        <>
          {data && model && `step ${formatCount(data.step)}`}
          {compared ? (
            <ScaleLegend
              what={`length at step ${formatCount(data.otherStep)} less that`}
              low={`−${formatNumber(norms?.largest)}`}
              high={`+${formatNumber(norms?.largest)}`}
              diverging
            />
          ) : (
            <ScaleLegend what="length" low="0" high={formatNumber(norms?.largest)} />
          )}
        </>
      }
    >
      {error && <ProblemNotice problem={asProblem(error)} />}
      {norms && text !== "" ? (
        <>
          <ValueGrid
            rows={norms.rows}
            columns={norms.tokens}
            values={norms.values}
            share={share}
            palette={compared ? DIVERGING : VIRIDIS}
            dimmed={old || isPlaceholderData}
            summary={`Lengths of the vectors of ${norms.tokens} tokens at ${norms.rows.length} places.`}
            onHover={setAt}
            data-testid="activations-map"
          />
          <p className={styles["token"]}>
            token {column} <code>{visibleToken(data?.tokens[column]?.text ?? "")}</code>
          </p>
          <Bars
            label="Lengths of one token's vector, in order"
            bars={norms.rows.map((name, row) => {
              const value = norms.values[row * norms.tokens + column] ?? 0;
              const told = compared ? signed(value, formatNumber) : formatNumber(value);
              return { key: name, name, share: Math.abs(value) / norms.largest, value: told };
            })}
          />
        </>
      ) : (
        <NoAnswerYet hasModel={model !== undefined} hasText={text !== ""} inView={inView} />
      )}
    </Panel>
  );
}
