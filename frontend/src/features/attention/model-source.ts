// Where the weights to look into come from: a run in training (by a peek), a saved checkpoint, or the last peek of a run
// that is over.
import { RunVerb, type Run } from "@/gen/lab/v1/run_pb";

export type ModelSource =
  | { readonly kind: "live"; readonly run: string }
  | { readonly kind: "checkpoint"; readonly name: string }
  | { readonly kind: "last-peek"; readonly name: string };

/** What to load for a run and, when the user chose one, a checkpoint of it. */
export function sourceFor(run: Run, checkpoint: string | null): ModelSource {
  if (checkpoint !== null) {
    return { kind: "checkpoint", name: `${run.name}/checkpoints/${checkpoint}` };
  }
  if (run.allowedVerbs.includes(RunVerb.PEEK)) return { kind: "live", run: run.name };
  if (run.latestCheckpoint !== "") return { kind: "checkpoint", name: run.latestCheckpoint };
  return { kind: "last-peek", name: `${run.name}/peek` };
}

/** "nano-7f3k" of "runs/nano-7f3k", and the last part of any longer name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
