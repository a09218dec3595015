// Parts of "runs/{run}/checkpoints/{checkpoint}".
import { IMPORTS } from "@/lib/imports";

export interface CheckpointPlace {
  readonly run: string;
  readonly checkpoint: string;
}

export function placeOf(name: string): CheckpointPlace {
  const [, run = "", , checkpoint = ""] = name.split("/");
  return { run, checkpoint };
}

/** Whether it came from elsewhere. */
export function isImport(name: string): boolean {
  return placeOf(name).run === IMPORTS;
}

/** The address that opens a checkpoint on the Inside page. */
export function insideAddress(name: string): string {
  const { run, checkpoint } = placeOf(name);
  return `/inside?${new URLSearchParams({ run, checkpoint }).toString()}`;
}
