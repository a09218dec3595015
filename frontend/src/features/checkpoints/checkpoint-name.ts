// Parts of "runs/{run}/checkpoints/{checkpoint}".

export interface CheckpointPlace {
  readonly run: string;
  readonly checkpoint: string;
}

export function placeOf(name: string): CheckpointPlace {
  const [, run = "", , checkpoint = ""] = name.split("/");
  return { run, checkpoint };
}

/** Whether it came from elsewhere; no run is called so. */
export function isImport(name: string): boolean {
  return placeOf(name).run === "imports";
}

/** The address that opens a checkpoint on the Inside page. */
export function insideAddress(name: string): string {
  const { run, checkpoint } = placeOf(name);
  return `/inside?${new URLSearchParams({ run, checkpoint }).toString()}`;
}
