// Words for what the enums say.
import { RunState } from "@/gen/lab/v1/run_pb";

/** "running" */
export function stateName(state: RunState): string {
  return state === RunState.UNSPECIFIED ? "unknown" : RunState[state].toLowerCase();
}

/** "nano-7f3k" of "runs/nano-7f3k" */
export function runId(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
