// What every head of the model looks at in a text: all heads small, one large.
import { useMemo } from "react";
import { asProblem } from "@/api/problem";
import type { Cell } from "@/charts/heatmap/map-geometry";
import { HeadGrid } from "@/charts/heatmap/head-grid";
import { neighbour, type HeadPlace } from "@/charts/heatmap/grid-geometry";
import { TokenMap } from "@/charts/heatmap/token-map";
import { WeightLegend } from "@/charts/heatmap/weight-legend";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import type { ModelSpec } from "@/gen/lab/v1/run_spec_pb";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import styles from "./attention-explorer.module.css";
import { strongestKeys, type WeightMatrix } from "./attention-maps";
import { HeadControls } from "./head-controls";
import { HeadHabits } from "./head-habits";
import { RowReadout } from "./row-readout";
import { TextForm } from "./text-form";
import { TokenRibbon } from "./token-ribbon";
import { shapeOf, type HeadChoice } from "./use-attention";
import { useAttentionView } from "./use-attention-view";
import { useCell } from "./use-cell";

export function AttentionExplorer({
  model,
  spec,
  text,
  layer: wantedLayer,
  head: wantedHead,
  onText,
  onHead,
  onReload,
}: {
  model: LoadedModel | undefined;
  /** Shape of the network, which may be known before its weights are there. */
  spec: ModelSpec | undefined;
  text: string;
  layer: number;
  head: HeadChoice;
  onText: (text: string) => void;
  onHead: (layer: number, head: HeadChoice) => void;
  /** Takes weights anew, when those shown are gone for good. */
  onReload: () => void;
}) {
  const { layers, heads } = shapeOf(model?.spec ?? spec);
  const layer = clamp(wantedLayer, layers);
  const head = wantedHead === "mean" ? wantedHead : clamp(wantedHead, heads);
  const view = useAttentionView(model, { text, layer, head });
  const problem = view.error === null ? undefined : asProblem(view.error);
  const cell = useCell(view.picture?.tokens ?? 0);
  const chosen = useMemo<HeadPlace[]>(
    () =>
      head === "mean"
        ? Array.from({ length: heads }, (_, index) => ({ layer, head: index }))
        : heads > 0
          ? [{ layer, head }]
          : [],
    [layer, head, heads],
  );

  const onKey = (key: string): boolean => {
    if (key === "Escape") {
      cell.release();
      return cell.locked;
    }
    const next = neighbour({ layer, head: head === "mean" ? 0 : head }, key, { layers, heads });
    if (next !== null) onHead(next.layer, next.head);
    return next !== null;
  };
  const readCell = cell.cell ?? (view.exact ? restingCell(view.exact.matrix) : null);

  return (
    <>
      <div className={styles["question"]}>
        <TextForm key={text} text={text} busy={view.busy && !view.picture} onSend={onText} />
        <TokenRibbon
          tokens={view.tokens}
          cell={cell.cell}
          onHover={cell.hover}
          onPick={cell.pick}
        />
        {view.tooLong && (
          <p className={styles["warning"]} role="alert" data-testid="text-too-long">
            This text has {view.tokens.length} tokens; this model reads at most {view.context}. Take
            a shorter text.
          </p>
        )}
        {problem && (
          <ProblemNotice
            problem={problem}
            action={
              problem.reason === "NOT_FOUND" ? (
                <Button onClick={onReload}>Look again</Button>
              ) : (
                <Button onClick={view.retry}>Try again</Button>
              )
            }
          />
        )}
      </div>
      <Panel
        title="Heads"
        controls={<span>layers ↓ heads →</span>}
        className={styles["heads"] ?? ""}
      >
        <HeadGrid
          layers={layers}
          heads={heads}
          matrixOf={view.matrixOf}
          chosen={chosen}
          dimmed={view.overviewIsOld}
          onChoose={(place) => onHead(place.layer, place.head)}
          onKey={onKey}
        />
      </Panel>
      <Panel
        title={head === "mean" ? `Layer ${layer}, mean over heads` : `Head ${layer}.${head}`}
        controls={
          <HeadControls layers={layers} heads={heads} layer={layer} head={head} onHead={onHead} />
        }
        className={styles["map"] ?? ""}
      >
        <div className={styles["key"]}>
          <HeadHabits matrix={view.exact?.matrix} pending={view.exactIsOld} />
          <WeightLegend />
        </div>
        {view.picture ? (
          <TokenMap
            matrix={view.picture}
            labels={view.labels}
            cell={cell.cell}
            locked={cell.locked}
            dimmed={view.pictureIsOld}
            summary={summaryOf(layer, head, view.labels)}
            onHover={cell.hover}
            onPick={cell.pick}
            onKey={onKey}
          />
        ) : (
          <div className={styles["waiting"]}>
            {model === undefined ? "no weights yet" : view.busy ? "computing…" : ""}
          </div>
        )}
        {view.exact && readCell && (
          <RowReadout
            matrix={view.exact.matrix}
            labels={view.exact.labels}
            cell={readCell}
            locked={cell.locked}
            pending={view.exactIsOld}
          />
        )}
      </Panel>
    </>
  );
}

/** Read when nothing is pointed at: the last token, which has the whole text before it, and what it looks at most. */
function restingCell(matrix: WeightMatrix): Cell | null {
  const query = matrix.tokens - 1;
  const [strongest] = strongestKeys(matrix, query, 1);
  return strongest === undefined ? null : { query, key: strongest.key };
}

function clamp(value: number, count: number): number {
  return Math.max(0, Math.min(count - 1, value));
}

function summaryOf(layer: number, head: HeadChoice, labels: readonly string[]): string {
  const who =
    head === "mean" ? `Mean attention of layer ${layer}` : `Attention of head ${layer}.${head}`;
  return `${who} over ${labels.length} tokens, queries down, keys across. Arrow keys choose another head; the strongest weights of the chosen row are listed below.`;
}
