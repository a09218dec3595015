// What every head of the model looks at in a text: all heads small, one large.
import { useCallback, useEffect, useEffectEvent, useMemo, useState, type ReactNode } from "react";
import { asProblem } from "@/api/problem";
import type { Cell } from "@/charts/heatmap/map-geometry";
import { AttentionKind } from "@/gen/lab/v1/analysis_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import type { ProbeText } from "@/gen/lab/v1/recording_pb";
import type { ModelSpec } from "@/gen/lab/v1/run_spec_pb";
import { useShortcut } from "@/lib/use-shortcut";
import { Button } from "@/ui/button";
import { ProblemNotice } from "@/ui/problem-notice";
import styles from "./attention-explorer.module.css";
import { HeadsAndMap } from "./heads-and-map";
import { recordView } from "./record-view";
import { TextForm } from "./text-form";
import { TokenRibbon } from "./token-ribbon";
import { shapeOf, type HeadChoice } from "./use-attention";
import { useAttentionView } from "./use-attention-view";
import { useCell } from "./use-cell";

/** What a run recorded about one of its probe texts, instead of a model that could be asked. */
export interface RecordedText {
  readonly probe: ProbeText;
  /** It is that of another step, shown until the wanted one is there. */
  readonly old: boolean;
  /** Chooses the text. */
  readonly picker: ReactNode;
}

export function AttentionExplorer({
  model,
  other,
  spec,
  text,
  layer: wantedLayer,
  head: wantedHead,
  onText,
  onHead,
  onReload,
  record,
  losses,
  otherLosses,
  lossesPending,
  old = false,
  step,
  reading,
  onReading,
  onHeld,
}: {
  model: LoadedModel | undefined;
  /** A second model: maps then show its weights less this one's. */
  other?: LoadedModel | undefined;
  /** Shape of the network, which may be known before its weights are there. */
  spec: ModelSpec | undefined;
  text: string;
  layer: number;
  head: HeadChoice;
  onText: (text: string) => void;
  onHead: (layer: number, head: HeadChoice) => void;
  /** Takes weights anew, when those shown are gone for good. */
  onReload: () => void;
  record?: RecordedText | undefined;
  /** Of each token, in nats; colours the text. */
  losses?: ArrayLike<number> | undefined;
  otherLosses?: ArrayLike<number> | undefined;
  lossesPending?: boolean;
  /** The weights are those of another step, shown until the wanted ones are there. */
  old?: boolean;
  /** Which step is shown. */
  step?: number | undefined;
  /** Says more about the token that is pointed at. */
  reading?: ((position: number | null) => ReactNode) | undefined;
  /** A token was pointed at in the text. */
  onReading?: (() => void) | undefined;
  /** A token is held in the text or on the map, or none any more: others ask about it too. */
  onHeld?: ((position: number | null) => void) | undefined;
}) {
  const { layers, heads } = shapeOf(model?.spec ?? spec);
  const layer = clamp(wantedLayer, layers);
  const head = wantedHead === "mean" ? wantedHead : clamp(wantedHead, heads);
  const [wantedKind, setKind] = useState<AttentionKind>(AttentionKind.WEIGHTS);
  // A record has the weights alone; what is made of them needs the model.
  const kind = record === undefined ? wantedKind : AttentionKind.WEIGHTS;
  const asked = useAttentionView(record === undefined ? { model, other } : NOBODY, {
    text,
    layer,
    head,
    kind,
  });
  const recorded = useMemo(
    () => record && recordView(record.probe, { heads, layer, head, old: record.old }),
    [record, heads, layer, head],
  );
  const view = recorded ?? asked;
  const problem = view.error === null ? undefined : asProblem(view.error);
  const cell = useCell(view.picture?.tokens ?? 0);
  const { hover: hoverCell } = cell;
  useShortcut("Escape", "Attention: let go of the token that is held", cell.release);
  const held = cell.locked ? (cell.cell?.query ?? null) : null;
  const tellHeld = useEffectEvent((position: number | null) => onHeld?.(position));
  useEffect(() => tellHeld(held), [held]);
  const hover = useCallback(
    (place: Cell | null) => {
      hoverCell(place);
      if (place) onReading?.();
    },
    [hoverCell, onReading],
  );

  return (
    <>
      <div className={styles["question"]}>
        {record ? (
          record.picker
        ) : (
          <TextForm key={text} text={text} busy={view.busy && !view.picture} onSend={onText} />
        )}
        <TokenRibbon
          tokens={view.tokens}
          losses={losses}
          others={otherLosses}
          pending={lossesPending}
          cell={cell.cell}
          onHover={hover}
          onPick={cell.pick}
          onRelease={cell.release}
        />
        {reading?.(cell.cell?.query ?? null)}
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
      <HeadsAndMap
        view={view}
        layers={layers}
        heads={heads}
        layer={layer}
        head={head}
        kind={kind}
        fixedKind={record !== undefined}
        cell={cell}
        old={old}
        step={step}
        waiting={model === undefined ? "no weights yet" : view.busy ? "computing…" : ""}
        onKind={setKind}
        onHead={onHead}
      />
    </>
  );
}

const NOBODY = { model: undefined };

function clamp(value: number, count: number): number {
  return Math.max(0, Math.min(count - 1, value));
}
