// Several runs side by side: their curves overlaid, how far each is from a baseline, the settings that differ.
import { useCallback, useEffect, useEffectEvent, useMemo, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { LinkedWindow, type Stretch } from "@/charts/line/window";
import { runList } from "@/features/runs/run-list";
import { SpecTable } from "@/features/runs/spec-table";
import { CompareChart } from "@/features/training/compare-chart";
import { smoothingOf } from "@/features/training/compared";
import { undo } from "@/lib/undo";
import { useShortcut } from "@/lib/use-shortcut";
import { useChannel } from "@/live/use-channel";
import { EmptyState } from "@/ui/empty-state";
import { readCompare, writeCompare, type CompareChoice } from "./compare-address";
import { CompareControls } from "./compare-controls";
import { CompareLegend } from "./compare-legend";
import { CompareRun, type Known } from "./compare-run";
import { useCurves } from "./use-curves";
import { useGroups } from "./use-groups";
import { useZoomUndo } from "./use-zoom-undo";
import styles from "./compare.module.css";

const ZOOM_WRITTEN_AFTER_MS = 300;
const WHAT = "comparison";

export function ComparePage() {
  const [address, setAddress] = useSearchParams();
  const choice = useMemo(() => readCompare(address), [address]);
  const { runs, hidden, baseline, metric, axis, logY, smoothing } = choice;
  const [window] = useState(() => {
    const linked = new LinkedWindow();
    linked.look(choice.stretch);
    return linked;
  });
  const [known, setKnown] = useState<ReadonlyMap<string, Known>>(new Map());
  const [lit, setLit] = useState<string | null>(null);
  const { state: all } = useChannel("runs", runList);

  const write = useCallback(
    (part: Partial<CompareChoice>) =>
      setAddress((now) => writeCompare({ ...readCompare(now), ...part }), {
        replace: true,
        preventScrollReset: true,
      }),
    [setAddress],
  );
  const change = (part: Partial<CompareChoice>) => {
    const before = partOf(choice, part);
    const what = `${WHAT}: ${Object.keys(part).join(", ")}`;
    const [back, again] = [() => write(before), () => write(part)];
    if (part.smoothing === undefined) undo.done(what, back, again);
    else undo.moved(what, back, again); // a slider moves in a stroke
    again();
  };
  useEffect(() => () => undo.forget(WHAT), []); // elsewhere it would write into another page's address
  useZoomUndo(window);
  useZoomInAddress(window, (stretch) => write({ stretch }));
  const onKnown = useCallback(
    (id: string, news: Known) => setKnown((before) => new Map(before).set(id, news)),
    [],
  );

  const averaged = choice.group !== "none" && runs.some((id) => known.get(id)?.incomplete);
  const curves = useCurves(runs, known);
  const shown = useMemo(
    () => curves.filter(({ name }) => !hidden.includes(name.slice("runs/".length))),
    [curves, hidden],
  );
  const groups = useGroups(shown, known, choice.group);
  const view = useMemo(
    () => ({ metric, axis, smoothing, lit: lit === null ? null : `runs/${lit}` }),
    [metric, axis, smoothing, lit],
  );
  const found = useMemo(() => runs.flatMap((id) => known.get(id)?.run ?? []), [runs, known]);

  useShortcut("0", "Show all steps", () => window.look(null));
  useShortcut("g", "Log scale or a plain one", () => change({ logY: !logY }));

  if (runs.length === 0) {
    return (
      <EmptyState page title="No run chosen" action={<Link to="/runs">Go to the runs</Link>}>
        Tick two or more runs in the table and press Compare.
      </EmptyState>
    );
  }
  return (
    <div className={styles["page"]}>
      <h1 className="visually-hidden">Compare runs</h1>
      {runs.map((id) => (
        <CompareRun
          key={id}
          id={id}
          window={window}
          axis={axis}
          metric={metric}
          averaged={averaged}
          smoothed={smoothingOf(view) > 0}
          onKnown={onKnown}
        />
      ))}
      <CompareChart
        curves={shown}
        groups={groups}
        baseline={curves.find(({ name }) => name === `runs/${baseline ?? ""}`)}
        view={view}
        logY={logY}
        window={window}
        controls={<CompareControls choice={choice} window={window} change={change} />}
      />
      <CompareLegend
        choice={choice}
        curves={curves}
        groups={groups}
        known={known}
        all={all ?? []}
        change={change}
        onLight={setLit}
      />
      <SpecTable runs={found} />
    </div>
  );
}

/** The same fields of the choice as it is. */
function partOf(choice: CompareChoice, part: Partial<CompareChoice>): Partial<CompareChoice> {
  const fields = Object.keys(part) as (keyof CompareChoice)[];
  return Object.fromEntries(fields.map((field) => [field, choice[field]]));
}

/** The address follows the zoom, once the hand rests. */
function useZoomInAddress(window: LinkedWindow, write: (stretch: Stretch | null) => void): void {
  const settled = useEffectEvent(write);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let before = window.get().stretch;
    const stop = window.subscribe(() => {
      const { stretch } = window.get();
      if (stretch === before) return; // only the cursor moved
      before = stretch;
      clearTimeout(timer);
      timer = setTimeout(() => settled(stretch), ZOOM_WRITTEN_AFTER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [window]);
}
