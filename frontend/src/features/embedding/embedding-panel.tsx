// Where tokens lie in the embedding, as a map that follows the playhead.
import { useMemo, useRef, useState } from "react";
import { asProblem } from "@/api/problem";
import { KIND_COLORS, SHAPES } from "@/charts/scatter/draw-scatter";
import { Scatter } from "@/charts/scatter/scatter";
import { extentOf } from "@/charts/scatter/scatter-geometry";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { formatCount, formatShare } from "@/lib/format";
import { useInView } from "@/lib/use-in-view";
import { visibleToken } from "@/lib/token-text";
import { NoAnswerYet } from "@/ui/no-answer-yet";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import { TextInput } from "@/ui/text-input";
import styles from "./embedding-panel.module.css";
import { findTokens, KINDS, movedMost, plane, type EmbeddingPoints } from "./embedding-points";
import { NeighboursList } from "./neighbours-list";
import { useEmbedding } from "./use-embedding";

const DEFINITION =
  "Principal components: of the embeddings of the tokens shown, less their mean, the directions of largest spread, x ↦ (x − mean) · vₖ with vₖ the eigenvectors of the covariance. Maps of other steps are turned and mirrored onto the first one seen here (orthogonal Procrustes), so that what moves has moved in the model. Three of many directions: near on the map need not be near in the model, which is what the list of neighbours is for.";
const HEIGHT_PX = 420;
const MOST_FOUND = 8;
const MOST_NAMED = 12;
const OF_TEXT = "text";
const COUNTS = [300, 1000, 3000, 5000];
const AXES = {
  "1 × 2": [0, 1],
  "1 × 3": [0, 2],
  "2 × 3": [1, 2],
} as const;
type Axes = keyof typeof AXES;

export function EmbeddingPanel({
  model,
  other,
  text,
  className,
}: {
  model: LoadedModel | undefined;
  other?: LoadedModel | undefined;
  text: string;
  className?: string | undefined;
}) {
  const [of, setOf] = useState("1000");
  const [axes, setAxes] = useState<Axes>("1 × 2");
  // Held here, because the playhead may pass steps without weights, where there is no map.
  const [locked, setLocked] = useState<number | null>(null);
  const panel = useRef<HTMLElement>(null);
  const inView = useInView(panel);
  const ofText = of === OF_TEXT;
  const asked = ofText ? { count: 0, text } : { count: Number(of), text: "" };
  const { map, otherMap, step, error, old } = useEmbedding({ model, other }, { ...asked, inView });
  const [across, up] = AXES[axes];
  return (
    <Panel
      ref={panel}
      title="Embedding map"
      definition={DEFINITION}
      className={className ?? ""}
      data-testid="embedding"
      controls={
        <>
          {step !== undefined && model && `step ${formatCount(step)}`}
          <Select
            aria-label="Which tokens"
            value={of}
            options={[
              ...COUNTS.map((count) => ({
                value: String(count),
                label: `first ${formatCount(count)} ids`,
              })),
              { value: OF_TEXT, label: "tokens of the text" },
            ]}
            onChange={(event) => {
              setOf(event.target.value);
              setLocked(null);
            }}
            data-testid="embedding-of"
          />
          <Select
            aria-label="Which axes"
            value={axes}
            options={Object.keys(AXES).map((value) => ({ value, label: `axes ${value}` }))}
            onChange={(event) => {
              const { value } = event.target;
              if (value in AXES) setAxes(value as Axes);
            }}
          />
          {map && (
            <span title="Of the whole spread of the tokens shown">
              {formatShare(map.share[across])} + {formatShare(map.share[up])} of the spread
            </span>
          )}
        </>
      }
    >
      {error && <ProblemNotice problem={asProblem(error)} />}
      {map && model ? (
        <EmbeddingMap
          key={of}
          map={map}
          otherMap={otherMap}
          axes={AXES[axes]}
          model={model}
          dimmed={old}
          locked={locked}
          onLock={setLocked}
        />
      ) : (
        <NoAnswerYet hasModel={model !== undefined} inView={inView} />
      )}
    </Panel>
  );
}

function EmbeddingMap({
  map,
  otherMap,
  axes,
  model,
  dimmed,
  locked,
  onLock,
}: {
  map: EmbeddingPoints;
  otherMap: EmbeddingPoints | undefined;
  axes: readonly [number, number];
  model: LoadedModel;
  dimmed: boolean;
  locked: number | null;
  onLock: (index: number | null) => void;
}) {
  const [hovered, setHovered] = useState<number | null>(null);
  const [typed, setTyped] = useState("");
  const points = useMemo(() => plane(map.points, axes), [map.points, axes]);
  const alike = otherMap?.ids.length === map.ids.length;
  const others = useMemo(
    () => (otherMap && alike ? plane(otherMap.points, axes) : undefined),
    [otherMap, alike, axes],
  );
  const found = useMemo(() => findTokens(map.texts, typed, MOST_FOUND), [map.texts, typed]);
  const moved = useMemo(
    () => (otherMap && alike ? movedMost(map.points, otherMap.points, MOST_NAMED) : []),
    [map, otherMap, alike],
  );
  const extent = useMemo(() => extentOf(points, ...(others ? [others] : [])), [points, others]);
  const label = useMemo(() => (index: number) => visibleToken(map.texts[index] ?? ""), [map.texts]);
  const held = locked !== null && locked < map.ids.length ? locked : null;
  const chosen = held ?? hovered;
  const token = held === null ? undefined : map.ids[held];
  return (
    <div className={styles["columns"]}>
      <div>
        <Scatter
          points={points}
          others={others}
          kinds={map.kinds}
          extent={extent}
          height={HEIGHT_PX}
          named={found.length > 0 ? found : moved}
          chosen={chosen}
          locked={held !== null}
          dimmed={dimmed}
          label={label}
          summary={`Map of ${map.ids.length} token embeddings. Arrow keys go to the next token that way, Esc lets go; the nearest tokens of the chosen one are listed beside it.`}
          onHover={setHovered}
          onLock={onLock}
          data-testid="embedding-map"
        />
        <p className={styles["legend"]}>
          {KINDS.map((kind, index) => (
            <span key={kind}>
              <i style={{ color: `var(${KIND_COLORS[index] ?? "--run-0"})` }}>{SHAPES[index]}</i>{" "}
              {kind}
            </span>
          ))}
        </p>
      </div>
      <div className={styles["beside"]}>
        <TextInput
          aria-label="Find a token on the map"
          placeholder="find a token"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") setTyped("");
            const [first] = found;
            if (event.key === "Enter" && first !== undefined) onLock(first);
          }}
          data-testid="embedding-find"
        />
        {typed.trim() !== "" && (
          <p className={styles["found"]}>
            {found.length === 0 && "not on this map"}
            {found.map((index) => (
              <button key={index} type="button" onClick={() => onLock(index)}>
                {label(index)}
              </button>
            ))}
          </p>
        )}
        <p className={styles["note"]} data-testid="embedding-readout">
          {chosen === null ? (
            "Point at a token; a click holds it. Drag a box to zoom, double-click for all."
          ) : (
            <>
              <code>{label(chosen)}</code> token {map.ids[chosen]}, {KINDS[map.kinds[chosen] ?? 0]}
            </>
          )}
        </p>
        {others && (
          <p className={styles["note"]}>
            Lines lead to where tokens lie in the other weights; named are those that moved most.
          </p>
        )}
        {token !== undefined && held !== null && (
          <NeighboursList model={model} token={token} text={map.texts[held] ?? ""} />
        )}
      </div>
    </div>
  );
}
