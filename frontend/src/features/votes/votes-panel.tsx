// Which parts of the model vote for a token: its score, taken apart into what each head and each layer wrote.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { analysisQuery } from "@/api/analyses";
import { tokensQuery } from "@/api/models";
import { asProblem } from "@/api/problem";
import { tensorNamed } from "@/api/tensors";
import { signed, SignedBars } from "@/charts/bars/signed-bars";
import { DIVERGING } from "@/charts/heatmap/palette";
import { ScaleLegend } from "@/charts/heatmap/scale-legend";
import { ValueGrid, type GridCell } from "@/charts/heatmap/value-grid";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { formatCount, formatNumber } from "@/lib/format";
import { useInView } from "@/lib/use-in-view";
import { visibleToken } from "@/lib/token-text";
import { NoAnswerYet } from "@/ui/no-answer-yet";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import { voteParts } from "./vote-parts";
import styles from "./votes-panel.module.css";

const DEFINITION =
  "Direct logit attribution. The last residual stream is a sum: embedding, position, and what every head and feed-forward layer added. With the scale of the final norm held fixed a token's score is linear in it, score = Σ partᵢ · readout, so it is a sum of their votes. It tells what a part said directly, not what it did by way of later parts.";
const LIKELIEST = "likeliest";
const CAME = "came";

export function VotesPanel({
  model,
  other,
  text,
  position: locked,
  onHead,
}: {
  model: LoadedModel | undefined;
  other?: LoadedModel | undefined;
  text: string;
  /** The token that is held in the text; without one the last is asked about. */
  position: number | null;
  onHead: (layer: number, head: number) => void;
}) {
  const [wanted, setWanted] = useState(LIKELIEST);
  const [at, setAt] = useState<GridCell | null>(null);
  const panel = useRef<HTMLElement>(null);
  const inView = useInView(panel);
  const tokens = useQuery(tokensQuery(text)).data ?? [];
  const last = Math.max(0, tokens.length - 1);
  const position = locked === null ? last : Math.min(locked, last);
  const came = tokens[position + 1];
  const byCame = wanted === CAME && came !== undefined;
  const asks = { position, ...(byCame && { target: came.id }) };
  const mine = useQuery({
    ...analysisQuery(model, { text, question: { case: "attribution", value: asks } }),
    enabled: inView && model !== undefined && text !== "" && tokens.length > 0,
    placeholderData: keepPreviousData,
  });
  const [target] = mine.data ? tensorNamed(mine.data.tensors, "target").values : [];
  // Of two models each has its own likeliest token; both are asked about this one's.
  const question = { case: "attribution", value: { position, target: target ?? 0 } } as const;
  const both = useQuery({
    ...analysisQuery(model, { text, question, other }),
    enabled:
      inView &&
      model !== undefined &&
      other !== undefined &&
      mine.isSuccess &&
      !mine.isPlaceholderData,
    placeholderData: keepPreviousData,
  });
  const compared = other !== undefined && both.data !== undefined;
  const tensors = compared ? both.data.differences : mine.data?.tensors;
  const votes = useMemo(
    () => (model && tensors ? voteParts(tensors) : undefined),
    [model, tensors],
  );
  const most = votes?.mostOfGrid ?? 1;
  const share = useMemo(() => (value: number) => (value / most + 1) / 2, [most]);
  const error = mine.error ?? (other ? both.error : null);
  const targetText = mine.data?.words.find(({ id }) => id === target)?.text ?? "";
  const read = votes && readCell(votes.grid, votes.heads, at);
  return (
    <Panel
      ref={panel}
      title="Votes"
      definition={DEFINITION}
      data-testid="votes"
      controls={
        <>
          {mine.data && model && `step ${formatCount(mine.data.step)}`}
          <Select
            aria-label="For which token"
            value={byCame ? CAME : LIKELIEST}
            options={[
              { value: LIKELIEST, label: "for the likeliest token" },
              { value: CAME, label: "for the token that came", disabled: came === undefined },
            ]}
            onChange={(event) => setWanted(event.target.value)}
            data-testid="votes-for"
          />
        </>
      }
    >
      {error && <ProblemNotice problem={asProblem(error)} />}
      {votes && text !== "" ? (
        <>
          <p className={styles["question"]} data-testid="votes-question">
            after token {position} <code>{visibleToken(tokens[position]?.text ?? "")}</code>,{" "}
            {compared ? `step ${formatCount(both.data.otherStep)} less this one, ` : ""}
            for <code>{visibleToken(targetText)}</code>: score{" "}
            <strong>{signed(votes.score, formatNumber)}</strong>
            {locked === null && " · click a token in the text for another place"}
          </p>
          <div className={styles["columns"]}>
            <SignedBars
              bars={votes.parts}
              most={votes.most}
              format={formatNumber}
              label="Votes in the order of the forward pass"
              data-testid="votes-parts"
            />
            <div>
              <ScaleLegend
                what="vote"
                low={`−${formatNumber(most)}`}
                high={`+${formatNumber(most)}`}
                diverging
              />
              <ValueGrid
                rows={Array.from({ length: votes.layers }, (_, layer) => `layer ${layer}`)}
                columns={votes.heads + 1}
                values={votes.grid}
                share={share}
                palette={DIVERGING}
                rowPx={20}
                dimmed={mine.isPlaceholderData || (compared && both.isPlaceholderData)}
                summary={`Votes of ${votes.layers} layers with ${votes.heads} heads each; the last column is the feed-forward layer. The bars beside it sum them by layer.`}
                onHover={setAt}
                onPick={({ row, column }) => {
                  if (column < votes.heads) onHead(row, column);
                }}
                data-testid="votes-map"
              />
              <p className={styles["readout"]}>
                {read ?? "heads across, the feed-forward layer last; a click shows the head"}
              </p>
            </div>
          </div>
        </>
      ) : (
        <NoAnswerYet hasModel={model !== undefined} hasText={text !== ""} inView={inView} />
      )}
    </Panel>
  );
}

function readCell(grid: Float32Array, heads: number, at: GridCell | null): string | null {
  if (at === null) return null;
  const value = grid[at.row * (heads + 1) + at.column] ?? NaN;
  const name = at.column === heads ? `ffn ${at.row}` : `head ${at.row}.${at.column}`;
  return `${name}: ${signed(value, formatNumber)}`;
}
