// How each process is doing, from the beats of the live channel and from what the gateway says when asked.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { systemQuery } from "@/api/system";
import { ServiceState, type ServiceBeat } from "@/gen/lab/v1/event_pb";
import type { SystemStatus } from "@/gen/lab/v1/rest_pb";
import { useChannel } from "@/live/use-channel";
import { stateOf, systemReducer, waitsForBus } from "./system-state";

export const SERVICES = ["trainer", "checkpoint", "inference", "gateway"] as const;
export type Place = (typeof SERVICES)[number] | "nats";

export interface Processes {
  readonly states: Readonly<Record<Place, ServiceState>>;
  readonly beats: ReadonlyMap<string, ServiceBeat>;
  readonly system: SystemStatus | undefined;
  readonly error: Error | null;
}

const LOOK_EVERY_MS = 1_000;

export function useProcesses(): Processes {
  const { state: heard, status } = useChannel("system", systemReducer);
  const { data: system, error } = useQuery(systemQuery);
  const nowMs = useNow();
  const told = system?.services.map((beat): [string, ServiceBeat] => [beat.service, beat]) ?? [];
  const lived = [...heard].map(([name, { beat }]): [string, ServiceBeat] => [name, beat]);
  const beats = new Map([...told, ...lived]);

  const bus = waitsForBus(heard)
    ? ServiceState.LOST
    : busState(error === null ? system : undefined);

  const service = (name: string): ServiceState => {
    // Whoever cannot reach the gateway knows nothing about those behind it.
    if (error !== null) return ServiceState.UNSPECIFIED;
    // Beats come over NATS: who is not heard without it is not lost for that.
    if (name !== "gateway" && bus === ServiceState.LOST) return ServiceState.UNSPECIFIED;
    if (heard.has(name)) return stateOf(heard.get(name), { nowMs, following: status === "live" });
    return beats.get(name)?.state ?? ServiceState.UNSPECIFIED;
  };
  return {
    states: {
      trainer: service("trainer"),
      checkpoint: service("checkpoint"),
      inference: service("inference"),
      gateway: error !== null ? ServiceState.LOST : service("gateway"),
      nats: bus,
    },
    beats,
    system,
    error,
  };
}

function busState(system: SystemStatus | undefined): ServiceState {
  if (system === undefined) return ServiceState.UNSPECIFIED;
  return system.busConnected ? ServiceState.READY : ServiceState.LOST;
}

function useNow(): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
