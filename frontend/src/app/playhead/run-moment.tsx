// The run at its playhead, on its own page: what it made of its probe text at that step, and what its heads did.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import { probeQuery, probesQuery } from "@/api/probes";
import { asProblem } from "@/api/problem";
import { TokenRibbon } from "@/features/attention/token-ribbon";
import { useCell } from "@/features/attention/use-cell";
import { HeadScoresPanel } from "@/features/head-scores/head-scores-panel";
import { nearestStop, type Stop } from "@/features/playhead/stops";
import { placeIn } from "@/features/playhead/use-playhead";
import type { ProbeRecord } from "@/gen/lab/v1/recording_pb";
import type { Run } from "@/gen/lab/v1/run_pb";
import { formatCount, formatLoss } from "@/lib/format";
import { NoRecordYet } from "@/ui/no-record-yet";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { insideAt } from "./inside-at";
import styles from "./run-moment.module.css";

const MOST_RECORDS = 200;
const NO_RECORDS: ProbeRecord[] = [];
const NO_STOPS: Stop[] = [];
const DEFINITION =
  "The run's own probe text as it saw it at this step: the stronger a token's colour, the larger its loss, −ln p(token | tokens before), in nats. Losses on one text say little about others.";

/** Nothing at the live end. */
export function RunMoment({ run }: { run: Run }) {
  const [parameters] = useSearchParams();
  const at = placeIn(parameters, NO_STOPS);
  return at === null ? null : <Moment run={run} at={at} />;
}

function Moment({ run, at }: { run: Run; at: number }) {
  // Only people move the playhead, and a run at rest records nothing: what was there when it was placed is enough.
  const list = useQuery(probesQuery(run.name, 0, { scores: true, limit: MOST_RECORDS }));
  const records = list.data?.records ?? NO_RECORDS;
  const recorded = useMemo(
    () => (list.data?.steps ?? []).map((step) => ({ step, checkpoint: null, probe: true })),
    [list.data],
  );
  const step = nearestStop(recorded, at)?.step;
  const record = useQuery({ ...probeQuery(run.name, step ?? 0), enabled: step !== undefined });
  const text = record.data?.texts[0];
  const cell = useCell(text?.tokens.length ?? 0);
  const losses = useMemo(() => [NaN, ...(text?.losses ?? [])], [text]);
  const mean = text && text.losses.reduce((sum, loss) => sum + loss, 0) / text.losses.length;
  const every = run.spec?.hooks?.probeEvery ?? 0;
  const error = list.error ?? record.error;
  return (
    <div className={styles["moment"]} data-testid="run-moment" data-step={record.data?.step ?? ""}>
      <Panel
        title="Probe text at the playhead"
        definition={DEFINITION}
        controls={
          <>
            {record.data && `step ${formatCount(record.data.step)}`}
            {mean !== undefined && <span>mean loss {formatLoss(mean)}</span>}
            <Link to={insideAt(run.name, at)}>More inside</Link>
          </>
        }
      >
        {error && <ProblemNotice problem={asProblem(error)} />}
        {text ? (
          <div className={record.isPlaceholderData ? styles["old"] : undefined}>
            <TokenRibbon
              tokens={text.tokens}
              losses={losses}
              cell={cell.cell}
              onHover={cell.hover}
              onPick={cell.pick}
              onRelease={cell.release}
            />
          </div>
        ) : (
          <NoRecordYet loading={list.isLoading || record.isLoading} every={every} />
        )}
      </Panel>
      <HeadScoresPanel
        records={records}
        loading={list.isLoading}
        at={at}
        every={every}
        chosen={null}
        onChoose={() => undefined}
      />
    </div>
  );
}
