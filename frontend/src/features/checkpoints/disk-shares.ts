// Parts of the disk-use bar. Free space is capped, or an empty disk would make everything saved invisible.
import type { GetDiskUseResponse } from "@/gen/lab/v1/checkpoint_service_pb";
import { formatBytes, formatCount } from "@/lib/format";
import { placeOf } from "./checkpoint-name";

export interface DiskShare {
  readonly label: string;
  readonly kind: "even" | "odd" | "trash" | "free";
  readonly bytes: bigint;
  /** Where it begins and how long it is, of the whole bar's 1. */
  readonly from: number;
  readonly share: number;
}

/** More than this many runs are drawn as one, "other runs". */
const MAX_RUNS = 8;
/** Free space is drawn at most as long as this many times what is saved and in the trash. */
const MOST_FREE = 1;

/** Runs that are named in words. */
const NAMED_RUNS = 3;

/** The same in words: who takes most, and where the picture is not to scale. */
export function inWords(use: GetDiskUseResponse): string {
  const named = use.runs
    .slice(0, NAMED_RUNS)
    .map((run) => `${placeOf(run.run).run} ${formatBytes(run.sizeBytes)}`);
  if (use.runs.length > NAMED_RUNS) named.push(`${formatCount(use.runs.length - NAMED_RUNS)} more`);
  const by = use.runs.length > 1 ? ` (${named.join(", ")})` : "";
  const taken = Number(use.sizeBytes + use.trashBytes);
  const cut = taken > 0 && Number(use.freeBytes) > MOST_FREE * taken ? ", drawn shorter" : "";
  return (
    `${formatBytes(use.sizeBytes)} saved${by}, ` +
    `${formatBytes(use.trashBytes)} in the trash, ${formatBytes(use.freeBytes)} free${cut}`
  );
}

export function shares(use: GetDiskUseResponse): DiskShare[] {
  const runs = use.runs
    .slice(0, MAX_RUNS)
    .map((run) => ({ label: placeOf(run.run).run, bytes: run.sizeBytes }));
  const other = use.runs.slice(MAX_RUNS).reduce((sum, run) => sum + run.sizeBytes, 0n);
  if (other > 0n) runs.push({ label: "other runs", bytes: other });
  const taken = Number(use.sizeBytes + use.trashBytes);
  const most = taken === 0 ? Infinity : MOST_FREE * taken;
  const free = Math.min(Number(use.freeBytes), most);
  const whole = taken + free;
  if (whole === 0) return [];
  let from = 0;
  const laid = (label: string, kind: DiskShare["kind"], bytes: bigint, drawn: number) => {
    const part = { label, kind, bytes, from, share: drawn / whole };
    from += part.share;
    return part;
  };
  return [
    ...runs.map((run, index) =>
      laid(run.label, index % 2 === 0 ? "even" : "odd", run.bytes, Number(run.bytes)),
    ),
    laid("trash", "trash", use.trashBytes, Number(use.trashBytes)),
    laid("free", "free", use.freeBytes, free),
  ].filter((part) => part.share > 0);
}
