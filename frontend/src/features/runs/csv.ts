// Every recorded step of a run as CSV, read page by page and never thinned.
import { querySeries } from "@/api/runs";
import type { SeriesSet } from "@/gen/lab/v1/series_pb";

const STEPS_PER_PAGE = 10_000; // below the server's most points per answer, so that a page is always whole

type Query = (
  range: { series?: string[]; stepFrom: number; stepTo?: number; maxPoints: number },
  signal?: AbortSignal,
) => Promise<SeriesSet>;

export interface CsvProgress {
  step: number;
  lastStep: number;
}

export async function runCsv(
  run: string,
  onProgress: (progress: CsvProgress) => void,
  signal?: AbortSignal,
): Promise<Blob> {
  const parts = await csvParts((range, stop) => querySeries(run, range, stop), onProgress, signal);
  return new Blob(parts, { type: "text/csv" });
}

/** The header and then one text per page. */
export async function csvParts(
  query: Query,
  onProgress: (progress: CsvProgress) => void,
  signal?: AbortSignal,
): Promise<string[]> {
  // Thinning keeps the last point, so four points are enough to learn where the run stands.
  const ends = await query({ stepFrom: 0, maxPoints: 4 }, signal);
  const names = ends.series.map(({ name }) => name);
  const lastStep = Math.max(0, ...ends.series.map(({ steps }) => steps.at(-1) ?? 0));
  const parts = [`${["step", ...names].join(",")}\n`];
  for (let from = 0; from <= lastStep; from += STEPS_PER_PAGE) {
    onProgress({ step: from, lastStep });
    const stepTo = Math.min(lastStep, from + STEPS_PER_PAGE - 1);
    // The server takes 0 as "to the newest", which for a run of no step is the same.
    const page = await query({ stepFrom: from, stepTo, maxPoints: STEPS_PER_PAGE }, signal);
    parts.push(rows(page, names));
  }
  return parts;
}

function rows(page: SeriesSet, names: readonly string[]): string {
  const byStep = new Map<number, string[]>();
  for (const { name, steps, values, complete } of page.series) {
    if (!complete) throw new Error(`the server thinned ${name}, so this would not be all points`);
    const column = names.indexOf(name);
    if (column < 0) continue;
    steps.forEach((step, i) => {
      const row = byStep.get(step) ?? names.map(() => "");
      row[column] = cell(values[i] ?? NaN);
      byStep.set(step, row);
    });
  }
  return [...byStep]
    .sort(([a], [b]) => a - b)
    .map(([step, row]) => `${step},${row.join(",")}\n`)
    .join("");
}

/** All digits; NaN and infinities as numpy and pandas read them. */
function cell(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? "inf" : "-inf";
}
