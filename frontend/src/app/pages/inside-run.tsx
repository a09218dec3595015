// The inside of one run at the playhead: its weights of this moment, one of its checkpoints, or what it recorded itself.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { asProblem } from "@/api/problem";
import { tokensQuery } from "@/api/models";
import { probeQuery, probesQuery } from "@/api/probes";
import { ActivationsPanel } from "@/features/activations/activations-panel";
import { AttentionExplorer, type RecordedText } from "@/features/attention/attention-explorer";
import { idOf, sourceFor, type ModelSource } from "@/features/attention/model-source";
import { SourcePicker } from "@/features/attention/source-picker";
import { TokenGuesses } from "@/features/attention/token-guesses";
import { useSourceModel } from "@/features/attention/use-source-model";
import { useTokenLosses } from "@/features/attention/use-token-losses";
import { isElsewhere, NEWEST, sameHeads, type Against } from "@/features/compare-models/against";
import { AgainstPicker } from "@/features/compare-models/against-picker";
import { GenerationPane } from "@/features/generation/generation-pane";
import { EmbeddingPanel } from "@/features/embedding/embedding-panel";
import { TimelinePanel } from "@/features/generation/timeline-panel";
import { HeadScoresPanel } from "@/features/head-scores/head-scores-panel";
import { LensPanel } from "@/features/lens/lens-panel";
import { PlayheadRail } from "@/features/playhead/playhead-rail";
import { nearestStop } from "@/features/playhead/stops";
import { usePlayhead, withPlace } from "@/features/playhead/use-playhead";
import { StateBadge } from "@/features/runs/state-badge";
import { runId as idOfRun } from "@/features/runs/state-name";
import { MaximaPanel } from "@/features/maxima/maxima-panel";
import { TokenLossesPanel } from "@/features/token-losses/token-losses-panel";
import { VotesPanel } from "@/features/votes/votes-panel";
import { WeightsPanel } from "@/features/weights/weights-panel";
import { useChartSettings } from "@/features/training/chart-settings";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import type { ProbeRecord } from "@/gen/lab/v1/recording_pb";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import { useAhead } from "../playhead/use-ahead";
import { useMoving } from "../playhead/use-moving";
import { useRail } from "../playhead/use-rail";
import { writeAddress, type Go, type InsideAddress } from "./inside-address";
import styles from "./inside.module.css";
import { useAgainst } from "./use-against";

const MOST_RECORDS = 200;
const NO_RECORDS: ProbeRecord[] = [];

export function InsideRun({
  runId,
  runs,
  checkpoints,
  address,
  go,
}: {
  runId: string;
  runs: readonly Run[];
  /** Of this run, newest first. */
  checkpoints: readonly Checkpoint[];
  address: InsideAddress;
  go: Go;
}) {
  const [follow, setFollow] = useState(false);
  const [probeText, setProbeText] = useState(0);
  const [heldToken, setHeldToken] = useState<number | null>(null);
  const [, setParameters] = useSearchParams();
  const name = `runs/${runId}`;
  const run = runs.find((one) => idOfRun(one.name) === runId);
  const rail = useRail(name, run, runs);
  const fetching = useMoving();
  const playhead = usePlayhead(rail.stops, rail.flags, !fetching);
  const log = useChartSettings((settings) => settings.axis === "log");
  const { at } = playhead;
  const stop = at === null ? undefined : nearestStop(rail.stops, at);
  const checkpoint = stop?.checkpoint ? idOf(stop.checkpoint) : address.checkpoint;
  const newest = sourceFor(runId, { run, checkpoint, saved: checkpoints.map((one) => one.name) });
  const recordOf = (step: number): ModelSource => ({ kind: "record", name, step });
  // Until the stops are known, a record is the cheapest guess: no peek is taken of a run for a step long gone.
  const isRecord = stop ? stop.checkpoint === null : at !== null;
  const wanted = isRecord ? recordOf(stop?.step ?? at ?? 0) : newest;

  // Following a run at rest would show the same weights again and again.
  const loading = useSourceModel(wanted, { follow: follow && run?.state === RunState.RUNNING });
  const trouble = loading.error ?? loading.failureReason;
  const problem = trouble === null ? undefined : asProblem(trouble);
  const neverKept = wanted.kind === "last-peek" && problem?.reason === "NOT_FOUND";
  const lastRecord = rail.stops.findLast(({ probe }) => probe)?.step;
  // Nothing kept and nothing running: the newest record stands in for the live end.
  const source = neverKept && lastRecord !== undefined ? recordOf(lastRecord) : wanted;
  const recordStep = source.kind === "record" ? source.step : null;
  const model = recordStep === null ? loading.data : undefined;
  const saved = checkpoints.map((one) => one.name);
  const { stops } = rail;
  const kept = stops.flatMap(({ step, checkpoint: source }) =>
    source === null ? [] : { step, source },
  );
  // At the live end the weights at hand may be a peek: they can write too.
  const peeked = model !== undefined && !kept.some(({ step }) => step === model.step);
  const writers = peeked ? [...kept, { step: model.step, source: model.source }] : kept;
  const compared = useAgainst(runId, { run, runs, stops, saved, against: address.against });
  // Of another shape it has no like of each layer and head.
  const alike = sameHeads(model?.spec, compared.other?.spec) ? compared.other : undefined;
  const old = recordStep === null && loading.isPlaceholderData;
  // What is wrong with a text is said where it is typed; other panels are not asked about it.
  const { data: tokens } = useQuery(tokensQuery(address.text));
  const room = Math.min(...[model, compared.other].map((one) => one?.spec?.context ?? Infinity));
  const readable = tokens && tokens.length <= room ? address.text : "";
  const shownStep = recordStep ?? model?.step;
  const { text, layer, head: chosenHead } = address;
  useAhead(name, {
    stops: rail.stops,
    at,
    parameters: Number(run?.stats?.parameters ?? 0),
    ready: !fetching,
    page: { text, layer, head: chosenHead, other: alike },
  });

  const record = useQuery({ ...probeQuery(name, recordStep ?? 0), enabled: recordStep !== null });
  const list = useQuery({
    ...probesQuery(name, rail.news, { scores: true, limit: MOST_RECORDS }),
    enabled: run !== undefined,
  });
  const records = list.data?.records ?? NO_RECORDS;
  const texts = record.data?.texts ?? records.at(-1)?.texts ?? [];
  const textIndex = Math.min(probeText, Math.max(0, texts.length - 1));
  const probe = recordStep === null ? undefined : record.data?.texts[textIndex];
  const picker = (
    <Select
      aria-label="Probe text"
      value={String(textIndex)}
      options={texts.map((one, index) => ({
        value: String(index),
        label: `probe text ${index + 1}: ${one.tokens
          .slice(0, 10)
          .map((token) => token.text)
          .join("")}…`,
      }))}
      onChange={(event) => setProbeText(Number(event.target.value))}
      data-testid="probe-text"
    />
  );
  const recorded: RecordedText | undefined = probe && {
    probe,
    old: record.isPlaceholderData,
    picker: (
      <p className={styles["recorded"]} data-testid="recorded-note">
        {picker} As the run saw it at step {record.data?.step}. No weights were kept there, so other
        texts cannot be asked about.
      </p>
    ),
  };
  const seen = useTokenLosses({ model, other: compared.other }, readable);
  const losses = probe ? [NaN, ...probe.losses] : seen.data?.losses;
  const { data: tokenAnswer } = seen;
  // The guesses at the playhead's step stand beside those at the live end, once somebody asks.
  const [pointed, setPointed] = useState(false);
  const atEnd = at === null || compared.other !== undefined || !pointed || recordStep !== null;
  const end = useSourceModel(
    atEnd
      ? recordOf(0)
      : sourceFor(runId, { run, checkpoint: null, saved: checkpoints.map((one) => one.name) }),
    { follow: false },
  );
  const now = useTokenLosses({ model: atEnd ? undefined : end.data }, readable);
  const later = now.data && !now.old && !atEnd ? { step: now.step, answer: now.data } : undefined;
  // Both at once: of two changes of the address in one go the second would undo the first.
  const swap = (places: { at: number | null; against: Against }) =>
    setParameters((held) => writeAddress(withPlace(held, places.at), { against: places.against }), {
      replace: true,
    });
  const every = run?.spec?.hooks?.probeEvery ?? 0;
  const head = address.head === "mean" ? null : { layer: address.layer, head: address.head };

  return (
    <div className={styles["frame"]}>
      <div className={styles["page"]}>
        <div className={styles["source"]}>
          <SourcePicker
            runs={runs}
            runId={runId}
            checkpoints={checkpoints}
            checkpoint={source.kind === "checkpoint" ? idOf(source.name) : null}
            source={source}
            model={model}
            looking={loading.isFetching}
            follow={follow}
            onRun={(id) => go({ run: id, checkpoint: null })}
            onCheckpoint={(id) =>
              playhead.place(checkpoints.find((one) => idOf(one.name) === id)?.step ?? null)
            }
            onLookAgain={() => void loading.refetch()}
            onFollow={setFollow}
            state={run && <StateBadge state={run.state} />}
          />
          <AgainstPicker
            saved={kept.map(({ step }) => step)}
            elsewhere={compared.elsewhere}
            at={at}
            against={address.against}
            model={model}
            other={compared.other}
            looking={compared.looking}
            onAgainst={(against) => go({ against })}
            onSwap={swap}
          />
          {compared.problem && (
            <ProblemNotice
              problem={compared.problem}
              action={<Button onClick={compared.retry}>Try again</Button>}
            />
          )}
          {problem && recordStep === null && !neverKept && (
            <ProblemNotice
              problem={problem}
              action={<Button onClick={() => void loading.refetch()}>Try again</Button>}
            />
          )}
          {record.error && recordStep !== null && (
            <ProblemNotice
              problem={asProblem(record.error)}
              action={<Button onClick={() => void record.refetch()}>Try again</Button>}
            />
          )}
        </div>
        {neverKept && recordStep === null && (
          <Panel className={styles["whole"] ?? ""}>
            <EmptyState title="This run's weights were not kept">
              Saving was off and nobody looked inside while it was in training. Look while a run
              trains, or let it save on stop.
            </EmptyState>
          </Panel>
        )}
        {(model !== undefined || recorded !== undefined || problem === undefined) && (
          <>
            <AttentionExplorer
              model={model}
              other={alike}
              spec={run?.spec?.model}
              text={address.text}
              layer={address.layer}
              head={address.head}
              onText={(text) => go({ text })}
              onHead={(layer, chosen) => go({ layer, head: chosen })}
              onReload={() => void loading.refetch()}
              record={recorded}
              losses={losses}
              otherLosses={probe ? undefined : seen.other?.answer.losses}
              lossesPending={probe === undefined && seen.pending}
              old={old}
              step={shownStep}
              onReading={() => setPointed(true)}
              onHeld={setHeldToken}
              reading={
                tokenAnswer && model && recorded === undefined
                  ? (position) => (
                      <TokenGuesses
                        token={position === null ? undefined : seen.tokens[position]}
                        position={position}
                        seen={[
                          { step: seen.step, answer: tokenAnswer },
                          ...(seen.other ? [{ ...seen.other, whose: compared.run }] : []),
                          ...(!seen.other && later ? [later] : []),
                        ]}
                      />
                    )
                  : undefined
              }
            />
            <GenerationPane model={model} other={compared.other} otherRun={compared.run} />
          </>
        )}
      </div>
      <div className={styles["records"]}>
        <HeadScoresPanel
          records={records}
          loading={list.isLoading}
          at={at}
          against={isElsewhere(address.against) ? undefined : stepOf(address.against)}
          weights={{
            model,
            other: isElsewhere(address.against) ? alike : undefined,
            otherRun: compared.run,
            text: readable,
            ready: !seen.pending,
          }}
          every={every}
          chosen={head}
          onChoose={(place) => go(place)}
        />
        <TokenLossesPanel
          records={records}
          loading={list.isLoading}
          text={textIndex}
          vocabulary={run?.spec?.model?.vocabSize ?? 0}
          at={at}
          every={every}
          picker={texts.length > 1 ? picker : undefined}
          onPlace={playhead.place}
        />
        <TimelinePanel
          sources={writers}
          at={at}
          onPlace={playhead.place}
          className={styles["whole"]}
        />
        <LensPanel model={model} other={alike} text={readable} old={old} />
        <ActivationsPanel model={model} other={alike} text={readable} old={old} />
        <VotesPanel
          model={model}
          other={alike}
          text={readable}
          position={heldToken}
          onHead={(layer, chosen) => go({ layer, head: chosen })}
        />
        <MaximaPanel
          model={model}
          other={compared.other}
          otherRun={compared.run}
          text={readable}
          position={heldToken}
        />
        <WeightsPanel model={model} other={compared.other} className={styles["whole"]} />
        <EmbeddingPanel
          model={model}
          other={compared.other}
          text={address.text}
          className={styles["whole"]}
        />
      </div>
      <PlayheadRail
        rail={rail}
        playhead={playhead}
        newestStep={run?.stats?.step ?? 0}
        live={run?.state === RunState.RUNNING}
        log={log}
        shownStep={at === null ? shownStep : undefined}
      />
    </div>
  );
}

/** Of the second playhead in the same run: a step, null for its newest, undefined without one. */
function stepOf(against: number | typeof NEWEST | null): number | null | undefined {
  if (against === null) return undefined;
  return against === NEWEST ? null : against;
}
