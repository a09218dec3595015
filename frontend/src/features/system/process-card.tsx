// One process: what it does, how it is, and what it waits for.
import { ServiceState, type ServiceBeat } from "@/gen/lab/v1/event_pb";
import { formatBytes, formatDuration } from "@/lib/format";
import { Badge, type BadgeShape, type BadgeTone } from "@/ui/badge";
import styles from "./process-card.module.css";

const LOOKS: Record<ServiceState, [string, BadgeTone, BadgeShape]> = {
  [ServiceState.UNSPECIFIED]: ["not heard of", "neutral", "ring"],
  [ServiceState.WAITING]: ["waiting", "paused", "bars"],
  [ServiceState.READY]: ["ready", "running", "check"],
  [ServiceState.LOST]: ["lost", "failed", "cross"],
};

export function ProcessCard({
  name,
  role,
  state,
  beat,
  note,
}: {
  name: string;
  role: string;
  state: ServiceState;
  beat: ServiceBeat | undefined;
  note?: string | undefined;
}) {
  const [word, tone, shape] = LOOKS[state];
  return (
    <article
      className={styles["card"]}
      style={{ gridArea: name }}
      data-testid={`process-${name}`}
      data-state={ServiceState[state]}
    >
      <header className={styles["header"]}>
        <h2>{name}</h2>
        <Badge tone={tone} shape={shape}>
          {word}
        </Badge>
      </header>
      <p className={styles["role"]}>{role}</p>
      {beat && (
        <dl className={styles["facts"]}>
          <dt>memory</dt>
          <dd>{formatBytes(beat.memoryBytes)}</dd>
          <dt>up</dt>
          <dd>{formatDuration(beat.uptimeSecs)}</dd>
          <dt>version</dt>
          <dd>{beat.version || "–"}</dd>
        </dl>
      )}
      {note !== undefined && <p className={styles["note"]}>{note}</p>}
      {beat && beat.waitingFor.length > 0 && (
        <p className={styles["waiting"]}>waits for {beat.waitingFor.join(", ")}</p>
      )}
    </article>
  );
}
