// Fetches what stands next to the playhead before it gets there: records always; weights and what the page asks of them
// only of small models. What is still under way when the playhead has gone elsewhere is cancelled.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { probeQuery } from "@/api/probes";
import { sourceModelQuery } from "@/features/attention/use-source-model";
import { neighbours, type Place, type Stop } from "@/features/playhead/stops";
import { Errand } from "./errand";
import { questionsAhead, type PageQuestion } from "./questions-ahead";

/** Above this, weights take too long and too much memory to be brought on a guess. */
const SMALL_PARAMETERS = 30_000_000;

export function useAhead(
  run: string,
  {
    stops,
    at,
    parameters,
    ready,
    page,
  }: {
    stops: readonly Stop[];
    at: Place;
    parameters: number;
    /** What is looked at comes first. */
    ready: boolean;
    page: PageQuestion;
  },
): void {
  const client = useQueryClient();
  const before = useRef<Place>(null);
  const cameFrom = useRef<Place>(null);
  const { text, layer, head, other } = page;
  useEffect(() => {
    if (at !== before.current) [cameFrom.current, before.current] = [before.current, at];
    if (!ready) return;
    const errand = new Errand(client);
    const near = neighbours(stops, at, cameFrom.current);
    const small = parameters <= SMALL_PARAMETERS;
    // At the live end a run may be training; there a guess is not worth its time.
    const asked = at === null ? null : { text, layer, head, other };
    // After the errand before this one has given up: it must not take along what this one asks for again.
    const timer = setTimeout(() => {
      void fetchNear(errand, near, { run, small, asked }).catch(ignored);
    }, 0);
    return () => {
      clearTimeout(timer);
      errand.giveUp();
    };
  }, [client, run, stops, at, parameters, ready, text, layer, head, other]);
}

/** One after the other, nearest in the direction of travel first: the lab answers one question at a time. */
async function fetchNear(
  errand: Errand,
  near: readonly Stop[],
  { run, small, asked }: { run: string; small: boolean; asked: PageQuestion | null },
): Promise<void> {
  for (const { step, checkpoint, probe } of near) {
    if (checkpoint !== null && small) {
      const source = sourceModelQuery({ kind: "checkpoint", name: checkpoint });
      const model = await errand.fetch(source.queryKey, () => errand.client.query(source));
      if (model && asked) await questionsAhead(errand, model, asked);
    } else if (probe) {
      const record = probeQuery(run, step);
      await errand.fetch(record.queryKey, () => errand.client.query(record));
    }
  }
}

function ignored(): void {
  // nothing to do
}
