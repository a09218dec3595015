// What happened to the run, newest first: log lines, checkpoints, evaluations.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { LogLevel, type CheckpointCommitted, type Event } from "@/gen/lab/v1/event_pb";
import { formatBytes, formatCount } from "@/lib/format";
import { useChannel } from "@/live/use-channel";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { eventList } from "./event-lists";
import styles from "./facts-panel.module.css";

interface Fact {
  key: string;
  step: number;
  level: "info" | "warning" | "error";
  text: string;
  time: string;
}

const LEVELS = {
  [LogLevel.UNSPECIFIED]: "info",
  [LogLevel.INFO]: "info",
  [LogLevel.WARNING]: "warning",
  [LogLevel.ERROR]: "error",
} as const;

export function FactsPanel({
  run,
  checkpoints,
}: {
  run: string;
  checkpoints: readonly CheckpointCommitted[];
}) {
  const { state: events } = useChannel(`${run}/logs`, eventList);
  const facts = [...(events ?? []).flatMap(logFact), ...checkpoints.map(checkpointFact)].sort(
    (a, b) => b.step - a.step,
  );
  return (
    <Panel title="Log" flush className={styles["panel"] ?? ""}>
      {facts.length === 0 ? (
        <EmptyState title="Nothing to tell yet">
          What happens to this run is written down here.
        </EmptyState>
      ) : (
        <ol className={styles["list"]} data-testid="facts" tabIndex={0} aria-label="Log">
          {facts.map((fact) => (
            <li key={fact.key} data-level={fact.level}>
              <span className={styles["when"]}>{fact.time}</span>
              <span className={styles["when"]}>step {formatCount(fact.step)}</span>
              <span className={styles["text"]}>
                {fact.level !== "info" && <strong>{fact.level}: </strong>}
                {fact.text}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

function logFact({ fact, sequence, time }: Event): Fact[] {
  if (fact.case !== "logWritten") return [];
  return [
    {
      key: `log ${sequence}`,
      step: fact.value.step,
      level: LEVELS[fact.value.level],
      text: fact.value.text,
      time: time ? timestampDate(time).toLocaleTimeString() : "",
    },
  ];
}

function checkpointFact(fact: CheckpointCommitted): Fact {
  return {
    key: fact.checkpoint,
    step: fact.step,
    level: "info",
    text: `checkpoint saved, ${formatBytes(fact.sizeBytes)}`,
    time: "",
  };
}
