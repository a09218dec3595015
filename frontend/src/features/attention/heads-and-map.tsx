// All heads small, and one large. What is pointed at among the small ones is previewed here, so that moving over them wakes
// nothing but these two panels.
import { useMemo, useState } from "react";
import type { Cell } from "@/charts/heatmap/map-geometry";
import { HeadGrid } from "@/charts/heatmap/head-grid";
import { neighbour, type HeadPlace } from "@/charts/heatmap/grid-geometry";
import { ScaleLegend } from "@/charts/heatmap/scale-legend";
import { TokenMap } from "@/charts/heatmap/token-map";
import { WeightLegend } from "@/charts/heatmap/weight-legend";
import { AttentionKind } from "@/gen/lab/v1/analysis_service_pb";
import { formatCount } from "@/lib/format";
import { useShortcut } from "@/lib/use-shortcut";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { Select } from "@/ui/select";
import styles from "./attention-explorer.module.css";
import { strongestKeys, withoutSink, type WeightMatrix } from "./attention-maps";
import { HeadControls } from "./head-controls";
import { HeadHabits } from "./head-habits";
import { RowReadout } from "./row-readout";
import { mapOf, type ExactMap, type HeadChoice } from "./use-attention";
import type { AttentionView } from "./use-attention-view";
import type { CellChoice } from "./use-cell";

export function HeadsAndMap({
  view,
  layers,
  heads,
  layer,
  head,
  kind,
  fixedKind,
  cell,
  old,
  step,
  waiting,
  onKind,
  onHead,
}: {
  view: AttentionView;
  layers: number;
  heads: number;
  layer: number;
  head: HeadChoice;
  kind: AttentionKind;
  /** There is nothing but the weights. */
  fixedKind: boolean;
  cell: CellChoice;
  /** The weights are those of another step, shown until the wanted ones are there. */
  old: boolean;
  step: number | undefined;
  /** Said in the place of a map. */
  waiting: string;
  onKind: (kind: AttentionKind) => void;
  onHead: (layer: number, head: HeadChoice) => void;
}) {
  const [hideSink, setHideSink] = useState(false);
  const [preview, setPreview] = useState<HeadPlace | null>(null);
  useShortcut("h", "Attention: hide the first token", () => setHideSink((hidden) => !hidden));
  const exact = useMemo(
    () => (hideSink && view.exact ? freeOf(view.exact) : view.exact),
    [hideSink, view.exact],
  );
  const previewed = preview ? view.matrixOf(preview) : undefined;
  const picture = previewed ?? (hideSink && exact ? exact.picture : view.picture);
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
  const readCell = cell.cell ?? (exact ? restingCell(exact.matrix) : null);
  const title =
    previewed && preview ? `Head ${preview.layer}.${preview.head}` : nameOf(layer, head, kind);

  return (
    <>
      <Panel
        title="Heads"
        definition={`All heads at once, each the map of the large one beside it: queries down, keys across, √ scale. Arrow keys and a click choose one. ${CAVEAT}`}
        controls={
          <>
            {step !== undefined && (
              <span data-testid="attention-step">step {formatCount(step)}</span>
            )}
            <span>layers ↓ heads →</span>
          </>
        }
        className={styles["heads"] ?? ""}
      >
        <HeadGrid
          layers={layers}
          heads={heads}
          matrixOf={view.matrixOf}
          chosen={chosen}
          dimmed={old || view.overviewIsOld}
          onHover={setPreview}
          onChoose={(place) => onHead(place.layer, place.head)}
          onKey={onKey}
        />
      </Panel>
      <Panel
        title={title}
        definition={KINDS[kind]}
        controls={
          <>
            <Select
              aria-label="What of the head"
              value={String(kind)}
              disabled={fixedKind}
              options={KIND_NAMES.map(([one, label]) => ({ value: String(one), label }))}
              onChange={(event) => {
                const { value } = event.target;
                const found = KIND_NAMES.find(([one]) => String(one) === value);
                if (found) onKind(found[0]);
              }}
              data-testid="attention-kind"
            />
            <Button
              aria-pressed={hideSink}
              title="Leave the first token out and let the rest of each row sum to 1 (H)"
              onClick={() => setHideSink(!hideSink)}
              data-testid="hide-sink"
            >
              hide sink
            </Button>
            <HeadControls layers={layers} heads={heads} layer={layer} head={head} onHead={onHead} />
          </>
        }
        className={styles["map"] ?? ""}
      >
        <div className={styles["key"]}>
          <HeadHabits matrix={exact?.matrix} pending={view.exactIsOld} />
          {picture?.signed ? (
            <ScaleLegend what="difference, √ scale" low="−1" high="+1" diverging />
          ) : (
            <WeightLegend />
          )}
        </div>
        {picture ? (
          <TokenMap
            matrix={picture}
            labels={view.labels}
            cell={cell.cell}
            locked={cell.locked}
            dimmed={old || (view.pictureIsOld && previewed === undefined)}
            summary={summaryOf(layer, head, view.labels)}
            onHover={cell.hover}
            onPick={cell.pick}
            onKey={onKey}
          />
        ) : (
          <div className={styles["waiting"]}>{waiting}</div>
        )}
        {exact && readCell && (
          <RowReadout
            matrix={exact.matrix}
            other={exact.other}
            labels={exact.labels}
            cell={readCell}
            locked={cell.locked}
            pending={old || view.exactIsOld}
            averaged={view.averaged}
          />
        )}
      </Panel>
    </>
  );
}

const CAVEAT = "Attention says where a head looked, not what mattered (Jain and Wallace, 2019).";

const KIND_NAMES = [
  [AttentionKind.WEIGHTS, "weights"],
  [AttentionKind.VALUE_WEIGHTED, "value-weighted"],
  [AttentionKind.ROLLOUT, "rollout"],
] as const;

const KINDS: Partial<Record<AttentionKind, string>> = {
  [AttentionKind.WEIGHTS]: `softmax(q k ÷ √d): the share of its value that each key gives to a query. ${CAVEAT}`,
  [AttentionKind.VALUE_WEIGHTED]: `Weight × length of what the head would write for that key, each row scaled to sum 1 (Kobayashi et al., 2020): much weight on a small value counts little. ${CAVEAT}`,
  [AttentionKind.ROLLOUT]: `How much of a token's stream stems from which token after this many layers, if each layer hands on half of itself and half of its heads' mean (Abnar and Zuidema, 2020). It leaves the feed-forward layers out. ${CAVEAT}`,
};

function nameOf(layer: number, head: HeadChoice, kind: AttentionKind): string {
  if (kind === AttentionKind.ROLLOUT) return `Rollout to layer ${layer}`;
  return head === "mean" ? `Layer ${layer}, mean over heads` : `Head ${layer}.${head}`;
}

function freeOf({ labels, matrix, other }: ExactMap): ExactMap {
  return mapOf(labels, withoutSink(matrix), other && withoutSink(other));
}

/** Read when nothing is pointed at: the last token, which has the whole text before it, and what it looks at most. */
function restingCell(matrix: WeightMatrix): Cell | null {
  const query = matrix.tokens - 1;
  const [strongest] = strongestKeys(matrix, query, 1);
  return strongest === undefined ? null : { query, key: strongest.key };
}

function summaryOf(layer: number, head: HeadChoice, labels: readonly string[]): string {
  const who =
    head === "mean" ? `Mean attention of layer ${layer}` : `Attention of head ${layer}.${head}`;
  return `${who} over ${labels.length} tokens, queries down, keys across. Arrow keys choose another head; the strongest weights of the chosen row are listed below.`;
}
