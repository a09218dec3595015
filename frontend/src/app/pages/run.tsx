// One run: control, progress, numbers, charts, samples, log.
import { useEffect, useMemo, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Link, useParams, useSearchParams } from "react-router";
import { corporaQuery } from "@/api/corpora";
import { asProblem } from "@/api/problem";
import type { ChartPicture } from "@/charts/line/picture";
import { LinkedWindow } from "@/charts/line/window";
import { RunState, RunVerb, type Run } from "@/gen/lab/v1/run_pb";
import { placeIn } from "@/features/playhead/use-playhead";
import { SavingPolicy } from "@/features/checkpoints/saving-policy";
import { HealthPanel } from "@/features/health/health-panel";
import { DeleteRun } from "@/features/runs/delete-run";
import { ExportMenu } from "@/features/runs/export-menu";
import { RestoreRun } from "@/features/runs/restore-run";
import { RunControls } from "@/features/runs/run-controls";
import { runDetail } from "@/features/runs/run-detail";
import { ParentLink } from "@/features/runs/run-parent";
import { RunNotes } from "@/features/runs/run-notes";
import { RunTags } from "@/features/runs/run-tags";
import { RunTitle } from "@/features/runs/run-title";
import { StateBadge } from "@/features/runs/state-badge";
import { stateName } from "@/features/runs/state-name";
import { useChartSettings } from "@/features/training/chart-settings";
import { FactsPanel } from "@/features/training/facts-panel";
import { LiveSettings } from "@/features/training/live-settings";
import { LossChart } from "@/features/training/loss-chart";
import { SamplesPanel } from "@/features/training/samples-panel";
import { SmallCharts } from "@/features/training/small-charts";
import { stepSeries } from "@/features/training/step-series";
import { Tiles } from "@/features/training/tiles";
import { useMarkers } from "@/features/training/use-markers";
import { useDetail, useInheritedDetail } from "@/features/training/use-detail";
import { useInherited } from "@/features/training/use-inherited";
import { formatParameters } from "@/lib/format";
import { useChannel } from "@/live/use-channel";
import { Precision } from "@/gen/lab/v1/run_spec_pb";
import { EmptyState } from "@/ui/empty-state";
import { ProblemNotice } from "@/ui/problem-notice";
import { FirstSteps } from "./first-steps";
import { readView, writeView } from "./run-address";
import styles from "./run.module.css";
import { useZoomUndo } from "./use-zoom-undo";
import { RunMoment } from "../playhead/run-moment";
import { RunRail } from "../playhead/run-rail";
import { LiveProgress } from "./run-live-progress";

const MOVING = new Set([
  RunState.PENDING,
  RunState.STARTING,
  RunState.RUNNING,
  RunState.PAUSING,
  RunState.PAUSED,
]);

export function RunPage() {
  const { run: id = "" } = useParams();
  return <OneRun key={id} name={`runs/${id}`} id={id} />;
}

function OneRun({ name, id }: { name: string; id: string }) {
  const { state: detail, problem } = useChannel(name, runDetail);
  const { state: series, problem: seriesProblem } = useChannel(`${name}/steps`, stepSeries);
  const [address] = useSearchParams();
  const [window] = useState(() => {
    const linked = new LinkedWindow();
    linked.look(readView(address)?.stretch ?? null);
    return linked;
  });
  useViewOfAddress(address);
  const axis = useChartSettings((settings) => settings.axis);
  const picture = useRef<ChartPicture>(null);
  useZoomUndo(window);
  useDetail(name, series, window, axis);
  const { run, evaluations, checkpoints, deleted } = detail;
  const ancestry = useInherited(name, run);
  const { inherited } = ancestry;
  useInheritedDetail(name, inherited?.series, window, axis);
  useEffect(() => series.evaluated(evaluations), [series, evaluations]);
  const changes = `${run?.state ?? ""} ${checkpoints.length}`;
  const markers = useMarkers(name, changes, series, axis, ancestry);
  const corpora = useQuery(corporaQuery);
  const corpus = `corpora/${run?.spec?.data?.corpus ?? ""}`;
  const unigram = corpora.data?.find((one) => one.name === corpus)?.unigramEntropy;
  const bits = useMemo(() => evaluations.map(({ bitsPerByte }) => bitsPerByte), [evaluations]);
  const facts = useMemo(() => (run ? factsOf(run) : ""), [run]);

  if (deleted) {
    return (
      <EmptyState page title={`${id} was deleted`} action={<Link to="/runs">Go to the runs</Link>}>
        Its metrics and samples are gone. Its checkpoints, if it had any, are still listed.
      </EmptyState>
    );
  }
  if (run?.deleteTime) {
    return (
      <EmptyState
        page
        title={`${run.displayName || id} is in the trash`}
        action={
          <>
            <RestoreRun run={run} /> <Link to="/runs">Go to the runs</Link>
          </>
        }
      >
        Its metrics, samples and log are kept
        {run.expireTime && ` until ${timestampDate(run.expireTime).toLocaleString()}`}, and so are
        the checkpoints that went with it.
      </EmptyState>
    );
  }
  if (!run) {
    return problem ? (
      <>
        <h1 className="visually-hidden">{id}</h1>
        <ProblemNotice problem={problem} action={<Link to="/runs">Go to the runs</Link>} />
      </>
    ) : (
      <EmptyState page title={`Waiting for ${id}`} />
    );
  }
  const hooks = run.spec?.hooks;
  return (
    <div className={styles["page"]}>
      <header className={styles["header"]}>
        <div className={styles["who"]}>
          <RunTitle run={run} />
          <StateBadge state={run.state} />
          <RunTags run={run} />
          <span className={styles["facts"]}>{facts}</span>
          {run.parent && <ParentLink parent={run.parent} gone={ancestry.orphan} />}
          <Link to={`/inside?run=${encodeURIComponent(id)}`} data-testid="look-inside">
            Look inside
          </Link>
          <Link to={`/runs/new?from=${encodeURIComponent(id)}`} data-testid="copy-run">
            Copy as new run
          </Link>
          <ExportMenu run={run} picture={() => picture.current} view={() => viewNow(window)} />
        </div>
        <RunControls run={run}>
          {run.allowedVerbs.includes(RunVerb.DELETE) && <DeleteRun run={run} />}
        </RunControls>
      </header>
      <StateReason run={run} />
      {seriesProblem && <ProblemNotice problem={seriesProblem} />}
      {ancestry.error && <ProblemNotice problem={asProblem(ancestry.error)} />}
      {address.has("first") && <FirstSteps run={run} series={series} />}
      <LiveProgress run={run} series={series} />
      <Tiles series={series} bits={bits} />
      <div className={styles["main"]}>
        <LossChart
          run={name}
          series={series}
          window={window}
          vocabulary={run.spec?.model?.vocabSize ?? 0}
          unigram={unigram}
          prediction={run.prediction}
          inherited={inherited}
          markers={markers}
          picture={picture}
        />
        <SamplesPanel
          run={name}
          every={run.live?.sampleEvery ?? hooks?.sampleEvery ?? 0}
          at={placeIn(address, [])}
        />
      </div>
      <RunMoment run={run} />
      <SmallCharts run={run} series={series} inherited={inherited} window={window} />
      <HealthPanel run={name} every={hooks?.healthEvery ?? 0} />
      <div className={styles["foot"]}>
        <FactsPanel run={name} changes={changes} />
        <div className={styles["side"]}>
          {MOVING.has(run.state) && <LiveSettings run={run} />}
          {MOVING.has(run.state) && <SavingPolicy run={run} />}
          <RunNotes run={run} />
        </div>
      </div>
      <RunRail run={run} window={window} axis={axis} />
    </div>
  );
}

/** A link brings its view along; whoever opens the page without one has their own, as they left it. */
function useViewOfAddress(address: URLSearchParams): void {
  const [shown] = useState(() => readView(address));
  useEffect(() => {
    if (!shown) return;
    const { axis, logLoss, clipLoss, smoothing } = shown;
    useChartSettings.setState({ axis, logLoss, clipLoss, smoothing });
  }, [shown]);
}

function viewNow(window: LinkedWindow): string {
  const { axis, logLoss, clipLoss, smoothing } = useChartSettings.getState();
  return writeView({ axis, logLoss, clipLoss, smoothing, stretch: window.get().stretch });
}

function factsOf(run: Run): string {
  const { spec, stats, preset } = run;
  const precision = spec?.budget?.precision;
  return [
    spec?.data?.corpus,
    `${preset} ${formatParameters(stats?.parameters)}`,
    precision === undefined ? undefined : Precision[precision].toLowerCase(),
    spec?.budget?.device,
  ]
    .filter(Boolean)
    .join(" · ");
}

function StateReason({ run }: { run: Run }) {
  if (run.stateReason === "") return null;
  if (run.state === RunState.FAILED || run.state === RunState.INTERRUPTED) {
    const what = run.state === RunState.FAILED ? "This run failed" : "This run was interrupted";
    return (
      <div data-testid="state-reason">
        <ProblemNotice
          problem={{ title: what, detail: run.stateReason, violations: [], requestId: "" }}
        />
      </div>
    );
  }
  return (
    <p className={styles["reason"]} data-testid="state-reason">
      {stateName(run.state)}: {run.stateReason}
    </p>
  );
}
