// One prompt, one seed, every step whose weights were kept: how the same dice fall as a run learns.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import { onEscape } from "@/lib/escape";
import { formatCount } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import { Button } from "@/ui/button";
import { EmptyState } from "@/ui/empty-state";
import { Explained } from "@/ui/explained";
import { Panel } from "@/ui/panel";
import { Alternatives } from "./alternatives";
import { firstDifference } from "./compare-texts";
import { isSettingsError, toRequest } from "./generation-settings";
import { isEnded } from "./generation-state";
import styles from "./timeline-panel.module.css";
import type { StepSource } from "./timeline-run";
import { neighbourOf, type TokenPlace } from "./token-place";
import { TimelineRow } from "./timeline-row";
import { useTimeline } from "./use-timeline";
import { seeded, useSettings } from "./use-settings";

const DEFINITION =
  "The prompt and the sampler of the generation pane, written with the weights of every step that was saved, all with one seed. Token i of every row is drawn with the same numbers, argmax(ln p ÷ T + g) with g a function of seed, place and token: a row changes where the model changed, not where the dice did. One seed is one sample; another seed tells another story.";
const ROW_PX = 44;
const ROWS_BESIDE = 6;

export function TimelinePanel({
  sources,
  at,
  onPlace,
  className,
}: {
  /** Steps whose weights are kept, rising. */
  sources: readonly StepSource[];
  at: number | null;
  onPlace: (step: number) => void;
  className?: string | undefined;
}) {
  const settings = useSettings((held) => held.settings);
  const { rows, settings: asked, working, write, cancel } = useTimeline();
  const [hovered, setHovered] = useState<TokenPlace | null>(null);
  const [locked, setLocked] = useState<TokenPlace | null>(null);
  const scroll = useRef<HTMLDivElement>(null);
  const request = toRequest("", settings);
  const differs = useMemo(
    () =>
      rows.map((row, index) => {
        const above = rows[index - 1];
        if (above === undefined) return null;
        const over = isEnded(row.state) && isEnded(above.state);
        return firstDifference(above.state.tokens, row.state.tokens, over);
      }),
    [rows],
  );
  // eslint-disable-next-line react-hooks/incompatible-library -- there is no compiler here to mislead
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: ROWS_BESIDE,
    getItemKey: (index) => rows[index]?.source ?? index,
  });
  const done = rows.filter(({ phase }) => phase === "done" || phase === "failed").length;
  const place = locked ?? hovered;
  const row = place ? rows[place.row] : undefined;
  const above = place ? rows[place.row - 1] : undefined;
  const token = place && row?.state.tokens[place.token];
  return (
    <Panel
      title="Generation across steps"
      definition={DEFINITION}
      className={className ?? ""}
      data-testid="generation-timeline"
      controls={
        <>
          <span role="status" data-testid="timeline-progress">
            {rows.length > 0 && `${done} of ${rows.length} steps`}
            {asked && ` · seed ${asked.seed}`}
          </span>
          <Button
            busy={working}
            disabled={sources.length === 0 || isSettingsError(request)}
            onClick={() => {
              setLocked(null);
              write(sources, seeded(settings));
            }}
            data-testid="timeline-write"
          >
            Write at {sources.length === 1 ? "1 step" : `${formatCount(sources.length)} steps`}
          </Button>
          <Button disabled={!working} onClick={cancel} data-testid="timeline-cancel">
            Cancel
          </Button>
        </>
      }
    >
      {rows.length === 0 ? (
        <EmptyState title={sources.length === 0 ? "Needs saved weights" : "Nothing written yet"}>
          {sources.length === 0
            ? "Let the run save now and then: the weights of a step are what its row is written with."
            : "Writes the prompt of the generation pane once with the weights of each saved step."}
        </EmptyState>
      ) : (
        <>
          <p className={styles["legend"]}>
            {asked && (
              <>
                after <code>{visibleToken(asked.prompt)}</code>:{" "}
              </>
            )}
            <Explained as="Tokens that the row above has too, from the beginning on, are faint. The wedge stands before the first that is not the same; what follows was written after another text.">
              faint = as in the row above
            </Explained>{" "}
            ·{" "}
            <Explained as="Mean of ln p(token) over the row, p of the model before temperature: nearer 0 is surer of its own words. A model that repeats itself is very sure.">
              ln p
            </Explained>{" "}
            ·{" "}
            <Explained as="Share of the runs of three tokens that stood earlier in the same row.">
              repeats
            </Explained>{" "}
            · a click on a step places the playhead
          </p>
          <div
            ref={scroll}
            className={styles["scroll"]}
            tabIndex={0}
            role="group"
            aria-label="Texts by step. Arrow keys choose a token."
            onPointerLeave={() => setHovered(null)}
            onKeyDown={(event) => {
              onEscape(locked !== null, () => setLocked(null))(event);
              const next = neighbourOf(locked, event.key, rows);
              if (next === null) return;
              event.preventDefault();
              setLocked(next);
              list.scrollToIndex(next.row);
            }}
          >
            <div style={{ height: list.getTotalSize(), position: "relative" }}>
              {list.getVirtualItems().map(({ key, index, start }) => {
                const shown = rows[index];
                return (
                  shown && (
                    <div
                      key={key}
                      ref={list.measureElement}
                      data-index={index}
                      className={styles["place"]}
                      style={{ transform: `translateY(${start}px)` }}
                    >
                      <TimelineRow
                        row={shown}
                        index={index}
                        differsAt={differs[index] ?? null}
                        isHere={at === shown.step}
                        chosen={place?.row === index ? place.token : null}
                        onPlace={onPlace}
                        onHover={setHovered}
                        onLock={(one) =>
                          setLocked((held) =>
                            held?.row === one.row && held.token === one.token ? null : one,
                          )
                        }
                      />
                    </div>
                  )
                );
              })}
            </div>
          </div>
          <div className={styles["choices"]}>
            {place && row && token ? (
              [row, ...(above ? [above] : [])].map((one) => (
                <div key={one.source}>
                  <p className={styles["legend"]}>
                    step {formatCount(one.step)}, token {place.token}
                  </p>
                  <Alternatives
                    step={one.state.tokens[place.token]}
                    label={`Likeliest tokens at step ${one.step}`}
                  />
                </div>
              ))
            ) : (
              <p className={styles["legend"]}>
                Point at a token: what was likely there, at its step and at the one above. A click
                holds it, Esc lets go.
              </p>
            )}
          </div>
        </>
      )}
    </Panel>
  );
}
