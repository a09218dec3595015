// Where the weights to look into come from: a run in training (by a peek), a saved checkpoint, or the last peek of a run
// that is over.
import { RunState, RunVerb, type Run } from "@/gen/lab/v1/run_pb";

export type ModelSource =
  /** `ready` is whether the run may be peeked at now, or only soon: while it starts, pauses or stops. */
  | { readonly kind: "live"; readonly run: string; readonly ready: boolean }
  | { readonly kind: "checkpoint"; readonly name: string }
  /** No weights: what the run recorded of itself at a step. `name` is that of the run. */
  | { readonly kind: "record"; readonly name: string; readonly step: number }
  | { readonly kind: "last-peek"; readonly name: string };

const OVER: readonly RunState[] = [
  RunState.STOPPED,
  RunState.SUCCEEDED,
  RunState.FAILED,
  RunState.INTERRUPTED,
];

/**
 * What to load for a run and, when the user chose one, a checkpoint of it. The run itself may be deleted already;
 * checkpoints outlive their run.
 */
export function sourceFor(
  runId: string,
  {
    run,
    checkpoint,
    saved,
  }: {
    run: Run | undefined;
    checkpoint: string | null;
    /** Names of the run's checkpoints that are there, newest first. */
    saved: readonly string[];
  },
): ModelSource {
  const name = `runs/${runId}`;
  if (checkpoint !== null) return { kind: "checkpoint", name: `${name}/checkpoints/${checkpoint}` };
  if (run !== undefined && !OVER.includes(run.state)) {
    return { kind: "live", run: name, ready: run.allowedVerbs.includes(RunVerb.PEEK) };
  }
  const [newest] = saved;
  if (newest !== undefined) return { kind: "checkpoint", name: newest };
  return { kind: "last-peek", name: `${name}/peek` };
}

/** "nano-7f3k" of "runs/nano-7f3k", and the last part of any longer name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
