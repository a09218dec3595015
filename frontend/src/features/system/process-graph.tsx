// The five processes and who talks to whom: commands and bytes by gRPC, facts by NATS.
import { asProblem } from "@/api/problem";
import { ServiceState } from "@/gen/lab/v1/event_pb";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { ProcessCard } from "./process-card";
import styles from "./process-graph.module.css";
import { SERVICES, useProcesses, type Place } from "./use-processes";

const ROLES: Record<Place, string> = {
  trainer: "trains runs, one worker process each; keeps their history",
  checkpoint: "keeps saved weights whole",
  inference: "holds models in memory, writes text, looks inside",
  gateway: "serves this page, REST and the live socket",
  nats: "carries every fact, with its history",
};

/** In percent of the drawing; each end lies under its card. */
const AT: Record<Place, readonly [number, number]> = {
  trainer: [16.5, 15],
  checkpoint: [50, 15],
  inference: [83.5, 15],
  gateway: [50, 52],
  nats: [50, 90],
};
const COMMANDS: readonly (readonly [Place, Place])[] = [
  ["gateway", "trainer"],
  ["gateway", "checkpoint"],
  ["gateway", "inference"],
  ["trainer", "checkpoint"],
  ["inference", "checkpoint"],
];
/** NATS is a bar as wide as the drawing, so facts drop straight down to it. */
const FACTS: readonly Place[] = ["trainer", "inference", "gateway"];

export function ProcessGraph() {
  const { states, beats, system, error } = useProcesses();
  const up = (place: Place) => states[place] === ServiceState.READY;

  return (
    <Panel
      title="Processes"
      controls={
        system && (
          <span data-testid="lab-version">
            version {system.version} · {system.liveSessions}{" "}
            {system.liveSessions === 1 ? "browser" : "browsers"}
          </span>
        )
      }
    >
      {error !== null && <ProblemNotice problem={asProblem(error)} />}
      <div className={styles["graph"]}>
        <svg className={styles["edges"]} width="100%" height="100%" aria-hidden="true">
          {COMMANDS.map(([from, to]) => (
            <line
              key={`${from} ${to}`}
              x1={`${AT[from][0]}%`}
              y1={`${AT[from][1]}%`}
              x2={`${AT[to][0]}%`}
              y2={`${AT[to][1]}%`}
              className={up(from) && up(to) ? styles["command"] : styles["broken"]}
            />
          ))}
          {FACTS.map((from) => (
            <line
              key={from}
              x1={`${AT[from][0]}%`}
              y1={`${AT[from][1]}%`}
              x2={`${AT[from][0]}%`}
              y2={`${AT.nats[1]}%`}
              className={up(from) && up("nats") ? styles["fact"] : styles["broken"]}
            />
          ))}
        </svg>
        {SERVICES.map((name) => (
          <ProcessCard
            key={name}
            name={name}
            role={ROLES[name]}
            state={states[name]}
            beat={beats.get(name)}
          />
        ))}
        <ProcessCard
          name="nats"
          role={ROLES.nats}
          state={states.nats}
          beat={undefined}
          note={busNote(system?.busConnected)}
        />
      </div>
      <p className={styles["key"]}>
        <span>
          <i className={styles["commandKey"]} /> commands and bytes, gRPC
        </span>
        <span>
          <i className={styles["factKey"]} /> facts, NATS JetStream
        </span>
        <span>
          <i className={styles["brokenKey"]} /> an end is not ready
        </span>
      </p>
    </Panel>
  );
}

function busNote(connected: boolean | undefined): string | undefined {
  if (connected === undefined) return undefined;
  return connected
    ? "The gateway is connected."
    : "The gateway has no connection; training goes on and nothing recorded is lost.";
}
