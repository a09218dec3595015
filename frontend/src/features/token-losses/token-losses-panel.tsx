// Tokens × steps: how the loss of each token of a probe text fell, and when it was learned.
import { useMemo, useState, type ReactNode } from "react";
import { ScaleLegend } from "@/charts/heatmap/scale-legend";
import { ValueGrid, type GridCell } from "@/charts/heatmap/value-grid";
import { LineChart } from "@/charts/line/line-chart";
import { LinkedWindow } from "@/charts/line/window";
import type { ProbeRecord } from "@/gen/lab/v1/recording_pb";
import { onEscape } from "@/lib/escape";
import { formatCount, formatLoss } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import { Explained } from "@/ui/explained";
import { NoRecordYet } from "@/ui/no-record-yet";
import { Panel } from "@/ui/panel";
import { DEFINITIONS } from "./lesson";
import styles from "./token-losses-panel.module.css";
import { acquiredAt, columnOf, lossesOf, timelineOf, type TokenTimeline } from "./token-timeline";

const CURVE_HEIGHT = 120;
const ROOM_PX = 400;

export function TokenLossesPanel({
  records,
  loading,
  text,
  vocabulary,
  at,
  every,
  picker,
  onPlace,
}: {
  /** By step, rising. */
  records: readonly ProbeRecord[];
  /** They are on their way. */
  loading: boolean;
  /** Which of the probe texts. */
  text: number;
  vocabulary: number;
  /** Where the playhead stands; null at the live end. */
  at: number | null;
  /** Steps between two records; 0 when none are made. */
  every: number;
  /** Chooses the text, where there are several. */
  picker?: ReactNode;
  onPlace: (step: number) => void;
}) {
  const timeline = useMemo(() => timelineOf(records, text), [records, text]);
  const labels = useMemo(
    () => timeline.tokens.map((token) => visibleToken(token.text)),
    [timeline],
  );
  const blind = Math.log(Math.max(2, vocabulary));
  const share = useMemo(() => (loss: number) => loss / blind, [blind]);
  const [hovered, setHovered] = useState<GridCell | null>(null);
  const [locked, setLocked] = useState<number | null>(null);
  const column = columnOf(timeline.steps, at);
  const shown = hovered ?? (locked === null ? null : { row: locked, column });
  const empty = timeline.steps.length === 0;
  return (
    <Panel
      title="Token losses over the run"
      definition={DEFINITIONS.losses}
      data-testid="token-losses"
      controls={
        <>
          {picker}
          <ScaleLegend what="loss in nats" low="0" high={`ln V = ${blind.toFixed(1)}`} />
        </>
      }
    >
      {empty ? (
        <NoRecordYet loading={loading} every={every} />
      ) : (
        <div onKeyDown={onEscape(locked !== null, () => setLocked(null))}>
          <ValueGrid
            rows={labels}
            columns={timeline.steps.length}
            values={timeline.losses}
            share={share}
            mark={column < 0 ? null : column}
            chosenRow={locked}
            rowPx={Math.min(16, Math.max(6, Math.floor(ROOM_PX / labels.length)))}
            summary={`Losses of ${labels.length} tokens at ${timeline.steps.length} steps.`}
            onHover={setHovered}
            onPick={(cell) => {
              setLocked(cell.row);
              const step = timeline.steps[cell.column];
              if (step !== undefined) onPlace(step);
            }}
            data-testid="token-losses-map"
          />
          <p className={styles["readout"]} data-testid="token-losses-readout">
            {shown === null ? (
              `steps ${formatCount(timeline.steps[0])} to ${formatCount(timeline.steps.at(-1))}, click locks a token and places the playhead`
            ) : (
              <Reading timeline={timeline} cell={shown} vocabulary={vocabulary} />
            )}
          </p>
          {locked !== null && locked < labels.length && (
            <TokenCurve
              timeline={timeline}
              token={locked}
              blind={blind}
              label={labels[locked] ?? ""}
            />
          )}
        </div>
      )}
    </Panel>
  );
}

function Reading({
  timeline,
  cell,
  vocabulary,
}: {
  timeline: TokenTimeline;
  cell: GridCell;
  vocabulary: number;
}) {
  const loss = lossesOf(timeline, cell.row)[cell.column];
  const since = acquiredAt(timeline, cell.row, vocabulary);
  return (
    <>
      <code>{visibleToken(timeline.tokens[cell.row]?.text ?? "")}</code> at step{" "}
      {formatCount(timeline.steps[cell.column])}:{" "}
      {cell.row === 0 ? "nothing predicts it" : formatLoss(loss)}
      {cell.row > 0 && (
        <>
          {" · "}
          <Explained as={DEFINITIONS.acquired}>
            {since === undefined ? "not learned" : `learned at step ${formatCount(since)}`}
          </Explained>
        </>
      )}
    </>
  );
}

function TokenCurve({
  timeline,
  token,
  blind,
  label,
}: {
  timeline: TokenTimeline;
  token: number;
  blind: number;
  label: string;
}) {
  const [window] = useState(() => new LinkedWindow());
  const source = useMemo(() => {
    const x = Float64Array.from(timeline.steps);
    const columns = { x, y: Float64Array.from(lossesOf(timeline, token)), length: x.length };
    const line = { name: label, color: "--train", mark: "bold", columns } as const;
    return { lines: () => [line], onChange: () => () => undefined };
  }, [timeline, token, label]);
  const options = useMemo(
    () => ({
      logY: false,
      references: [{ name: "blind guess", y: blind }],
      formatX: (x: number) => formatCount(Math.round(x)),
      formatY: formatLoss,
      formatTickY: formatLoss,
      tickFactor: 1,
    }),
    [blind],
  );
  return (
    <LineChart
      label={`Loss of ${label}`}
      summary={`Loss of the token ${label} by step.`}
      source={source}
      window={window}
      height={CURVE_HEIGHT}
      options={options}
      data-testid="token-curve"
    />
  );
}
