// The five processes and who talks to whom: commands and bytes by gRPC, facts by NATS.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { asProblem } from "@/api/problem";
import { systemQuery } from "@/api/system";
import { ServiceState, type ServiceBeat } from "@/gen/lab/v1/event_pb";
import { useChannel } from "@/live/use-channel";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { ProcessCard } from "./process-card";
import styles from "./process-graph.module.css";
import { stateOf, systemReducer } from "./system-state";

const SERVICES = ["trainer", "checkpoint", "inference", "gateway"] as const;
type Place = (typeof SERVICES)[number] | "nats";

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
const LOOK_EVERY_MS = 1_000;

export function ProcessGraph() {
  const { state: heard, status } = useChannel("system", systemReducer);
  const system = useQuery(systemQuery);
  const nowMs = useNow();
  const following = status === "live";
  const up = (place: Place) => states[place] === ServiceState.READY;

  const beatOf = (name: string): ServiceBeat | undefined =>
    heard.get(name)?.beat ?? system.data?.services.find((beat) => beat.service === name);
  const stateOfService = (name: string): ServiceState =>
    heard.has(name)
      ? stateOf(heard.get(name), { nowMs, following })
      : (beatOf(name)?.state ?? ServiceState.UNSPECIFIED);
  const busState =
    system.data === undefined
      ? ServiceState.UNSPECIFIED
      : system.data.busConnected
        ? ServiceState.READY
        : ServiceState.LOST;
  const states: Record<Place, ServiceState> = {
    trainer: stateOfService("trainer"),
    checkpoint: stateOfService("checkpoint"),
    inference: stateOfService("inference"),
    // Nobody but the gateway could have answered.
    gateway: system.isError ? ServiceState.LOST : stateOfService("gateway"),
    nats: system.isError ? ServiceState.UNSPECIFIED : busState,
  };

  return (
    <Panel
      title="Processes"
      controls={
        system.data && (
          <span data-testid="lab-version">
            version {system.data.version} · {system.data.liveSessions}{" "}
            {system.data.liveSessions === 1 ? "browser" : "browsers"}
          </span>
        )
      }
    >
      {system.error !== null && <ProblemNotice problem={asProblem(system.error)} />}
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
            beat={beatOf(name)}
          />
        ))}
        <ProcessCard
          name="nats"
          role={ROLES.nats}
          state={states.nats}
          beat={undefined}
          note={busNote(system.data?.busConnected)}
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

function useNow(): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
