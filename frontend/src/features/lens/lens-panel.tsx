// Logit lens: what would be predicted after each layer, layers down and tokens across; one canvas, drawn for what is in sight.
import { interpolateViridis } from "d3-scale-chromatic";
import { useEffect, useEffectEvent, useRef, useState, type MouseEvent } from "react";
import { asProblem } from "@/api/problem";
import { prepareCanvas } from "@/charts/heatmap/canvas";
import { diverging } from "@/charts/heatmap/palette";
import { ScaleLegend } from "@/charts/heatmap/scale-legend";
import { useStage } from "@/charts/heatmap/use-stage";
import type { AnalyseResponse } from "@/gen/lab/v1/analysis_service_pb";
import { cssColor } from "@/lib/colors";
import { formatCount, formatProbability } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import { useInView } from "@/lib/use-in-view";
import { NoAnswerYet } from "@/ui/no-answer-yet";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import type { Lens } from "./lens";
import styles from "./lens-panel.module.css";
import { useLens, type LensAsked, type TokensInSight } from "./use-lens";

const DEFINITION =
  "The final norm and the output head put after the embedding and after each block: softmax(W norm(x)). The last row is what the model says. Earlier layers were never trained to speak this way, so a strange word there does not mean a strange thought.";
const CELL_WIDTH = 76;
const CELL_HEIGHT = 20;
const NAMES = 64;

export function LensPanel({
  model,
  other,
  text,
  old = false,
}: LensAsked & {
  text: string;
  /** The weights are those of another step, shown until the wanted ones are there. */
  old?: boolean;
}) {
  const panel = useRef<HTMLElement>(null);
  const inView = useInView(panel);
  const [seen, setSeen] = useState<TokensInSight>({ text, from: 0, to: 1 });
  // Of another text its beginning is shown first.
  const inSight = seen.text === text ? seen : { text, from: 0, to: 1 };
  const found = useLens({ model, other }, inSight, { wanted: inView });
  const { answer, lens, theirs, error } = found;
  return (
    <Panel
      ref={panel}
      title="Logit lens"
      definition={DEFINITION}
      data-testid="lens"
      controls={
        <>
          {answer && model && stepsOf(answer)}
          {theirs ? (
            <ScaleLegend
              what="probability of what came, other less this"
              low="−1"
              high="+1"
              diverging
            />
          ) : (
            <ScaleLegend what="probability" low="0" high="1" />
          )}
        </>
      }
    >
      {error && <ProblemNotice problem={asProblem(error)} />}
      {lens && model && text !== "" ? (
        <LensTable
          lens={lens}
          theirs={theirs}
          dimmed={old || found.pending}
          onInSight={(from, to) => setSeen({ text: found.text, from, to })}
        />
      ) : (
        <NoAnswerYet hasModel={model !== undefined} hasText={text !== ""} inView={inView} />
      )}
    </Panel>
  );
}

function LensTable({
  lens,
  theirs,
  dimmed,
  onInSight,
}: {
  lens: Lens;
  /** A second model's: colours tell what it holds more or less probable, words what it says instead. */
  theirs: Lens | undefined;
  dimmed: boolean;
  /** These tokens are in sight now. */
  onInSight: (from: number, to: number) => void;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [scrolled, setScrolled] = useState(0);
  const [at, setAt] = useState<{ row: number; token: number } | null>(null);
  const { width, pixelRatio, theme } = useStage(frame);
  const height = (lens.rows + 1) * CELL_HEIGHT;
  const first = Math.floor(scrolled / CELL_WIDTH);
  const last = Math.min(lens.tokens.length, Math.ceil((scrolled + width) / CELL_WIDTH));
  const tellInSight = useEffectEvent(onInSight);
  useEffect(() => tellInSight(first, last), [lens, first, last]);

  useEffect(() => {
    const context = canvas.current && prepareCanvas(canvas.current, { width, height, pixelRatio });
    if (!context || width === 0) return;
    context.font = `11px ${cssColor("--font-code")}`;
    context.textBaseline = "middle";
    context.textAlign = "left";
    for (let token = first; token < last; token += 1) {
      const x = NAMES + token * CELL_WIDTH - scrolled;
      context.fillStyle = cssColor("--text");
      context.fillText(shortened(lens.tokens[token] ?? ""), x + 3, CELL_HEIGHT / 2);
      for (let row = 0; row < lens.rows; row += 1) {
        const [best] = lens.top(row, token);
        if (best === undefined) continue; // on its way
        const y = (row + 1) * CELL_HEIGHT;
        const said = theirs ? theirs.top(row, token)[0] : best;
        const [paper, ink] = colorsOf(lens, { row, token, share: best.probability });
        context.fillStyle = paper;
        context.fillRect(x, y, CELL_WIDTH - 1, CELL_HEIGHT - 1);
        context.fillStyle = ink;
        context.fillText(shortened(said?.text ?? ""), x + 3, y + CELL_HEIGHT / 2);
      }
    }
    context.clearRect(0, 0, NAMES, height);
    context.fillStyle = cssColor("--muted");
    for (let row = 0; row < lens.rows; row += 1) {
      const name = row === 0 ? "embedding" : `after ${row - 1}`;
      context.fillText(name, 0, (row + 1.5) * CELL_HEIGHT, NAMES - 4);
    }
  }, [lens, theirs, scrolled, first, last, width, height, pixelRatio, theme]);

  const under = (event: MouseEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    const token = Math.floor((event.clientX - box.left - NAMES + scrolled) / CELL_WIDTH);
    const row = Math.floor((event.clientY - box.top) / CELL_HEIGHT) - 1;
    const inside = row >= 0 && row < lens.rows && token >= 0 && token < lens.tokens.length;
    setAt(inside ? { row, token } : null);
  };
  return (
    <>
      <div
        ref={frame}
        className={dimmed ? styles["dimmed"] : styles["frame"]}
        tabIndex={0}
        role="group"
        aria-label="What would be predicted after each layer; scrolls sideways"
        onScroll={(event) => setScrolled(event.currentTarget.scrollLeft)}
      >
        <canvas
          ref={canvas}
          className={styles["canvas"]}
          style={{ width, height }}
          role="img"
          aria-label={`Predictions of ${lens.rows} layers for ${lens.tokens.length} tokens`}
          data-testid="lens-table"
          data-rows={lens.rows}
          data-pending={dimmed}
          data-tokens={lens.tokens.length}
          onPointerMove={under}
          onPointerLeave={() => setAt(null)}
        />
        <div style={{ width: NAMES + lens.tokens.length * CELL_WIDTH, height: 1 }} />
      </div>
      <p className={styles["readout"]}>
        {at === null
          ? "hover a cell"
          : `after ${lens.tokens[at.token]}, ${at.row === 0 ? "embedding" : `layer ${at.row - 1}`}: ${sayTop(lens, at)}${theirs ? `; the other: ${sayTop(theirs, at)}` : ""}`}
      </p>
    </>
  );
}

function shortened(text: string): string {
  const shown = visibleToken(text);
  return shown.length > 10 ? `${shown.slice(0, 9)}…` : shown;
}

function sayTop(lens: Lens, { row, token }: { row: number; token: number }): string {
  return lens
    .top(row, token)
    .map((one) => `${one.text} ${formatProbability(one.probability)}`)
    .join(", ");
}

const DARK = "#14181d";

/** Of paper and ink. */
function colorsOf(
  { compared, gained }: Lens,
  { row, token, share }: { row: number; token: number; share: number },
): [string, string] {
  if (!compared) return [interpolateViridis(share), share > 0.6 ? DARK : "#ffffff"];
  const difference = gained(row, token);
  if (Number.isNaN(difference)) return [cssColor("--grid"), cssColor("--text")];
  const place = (1 + difference) / 2;
  return [diverging(place), place > 0.2 && place < 0.8 ? DARK : "#ffffff"];
}

function stepsOf({ step, otherStep, otherTensors }: AnalyseResponse): string {
  const other = otherTensors.length > 0 ? `, other step ${formatCount(otherStep)}` : "";
  return `step ${formatCount(step)}${other}`;
}
