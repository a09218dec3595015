// Writes one prompt with the weights of many steps, two at a time, and tells of each row as it grows. No React here.
import { cancelGeneration } from "@/api/generations";
import { loadModel } from "@/api/models";
import { asProblem } from "@/api/problem";
import type { Problem } from "@/gen/lab/v1/error_pb";
import type { LiveClient } from "@/live/client";
import { openChannel } from "@/live/channel";
import { generationReducer } from "./generation-channel";
import type { GenerationSettings } from "./generation-settings";
import { EMPTY_GENERATION, isEnded, type GenerationState } from "./generation-state";
import { order } from "./use-generation";

/** While one row is written the weights of the next are on their way. */
const AT_ONCE = 2;

export interface WrittenStep {
  readonly step: number;
  /** Name of a checkpoint or a peek. */
  readonly source: string;
  readonly phase: "waiting" | "loading" | "writing" | "done" | "failed" | "cancelled";
  readonly state: GenerationState;
  readonly problem?: Problem | undefined;
}

export interface StepSource {
  readonly step: number;
  readonly source: string;
}

export function waitingRows(sources: readonly StepSource[]): WrittenStep[] {
  return sources.map((one) => ({ ...one, phase: "waiting", state: EMPTY_GENERATION }));
}

export type Told = (index: number, change: Partial<WrittenStep>) => void;

/** Resolves when every row is written, has failed, or `signal` has ended it all. */
export async function writeAtSteps(
  sources: readonly StepSource[],
  {
    client,
    settings,
    signal,
    told,
  }: { client: LiveClient; settings: GenerationSettings; signal: AbortSignal; told: Told },
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < sources.length && !signal.aborted) {
      const index = next;
      next += 1;
      const { source } = sources[index] ?? { source: "" };
      try {
        told(index, { phase: "loading" });
        const asked = await loadModel(source, signal);
        const { name } = await order({ asked, settings });
        told(index, { phase: "writing" });
        const state = await followed(name, {
          client,
          signal,
          onState: (now) => told(index, { state: now }),
        });
        told(index, { phase: "done", state });
      } catch (error) {
        if (isOver(signal)) return;
        told(index, { phase: "failed", problem: asProblem(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

// A call, because between two looks it can change.
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

function followed(
  name: string,
  {
    client,
    signal,
    onState,
  }: { client: LiveClient; signal: AbortSignal; onState: (state: GenerationState) => void },
): Promise<GenerationState> {
  const channel = openChannel(client, name, generationReducer);
  return new Promise((resolve, reject) => {
    const finish = (end: () => void) => {
      stop();
      signal.removeEventListener("abort", abandon);
      end();
    };
    const look = () => {
      const { state, status, problem } = channel.getView();
      onState(state);
      if (isEnded(state)) {
        finish(() => (state.problem ? reject(new Error(state.problem.title)) : resolve(state)));
      } else if (status === "refused") {
        finish(() => reject(new Error(problem?.title ?? "The text cannot be followed.")));
      }
    };
    const abandon = () => {
      // Best effort: a text that nobody waits for ends by itself.
      cancelGeneration(name).catch(() => undefined);
      finish(() => reject(new Error("cancelled")));
    };
    const stop = channel.follow(look);
    signal.addEventListener("abort", abandon);
    if (signal.aborted) abandon();
    else look();
  });
}
