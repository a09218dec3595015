// Fetches what stands next to the playhead before it gets there: records always, weights only of small models.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { probeQuery } from "@/api/probes";
import { sourceModelQuery } from "@/features/attention/use-source-model";
import { neighbours, type Place, type Stop } from "@/features/playhead/stops";

/** Above this, weights take too long and too much memory to be brought on a guess. */
const SMALL_PARAMETERS = 30_000_000;

export function useAhead(
  run: string,
  { stops, at, parameters }: { stops: readonly Stop[]; at: Place; parameters: number },
): void {
  const client = useQueryClient();
  const before = useRef<Place>(null);
  useEffect(() => {
    const near = neighbours(stops, at, before.current);
    before.current = at;
    for (const { step, checkpoint, probe } of near) {
      if (checkpoint !== null && parameters <= SMALL_PARAMETERS) {
        const source = { kind: "checkpoint", name: checkpoint } as const;
        client.query(sourceModelQuery(source)).catch(ignored);
      } else if (probe) client.query(probeQuery(run, step)).catch(ignored);
    }
  }, [client, run, stops, at, parameters]);
}

/** What was fetched on a guess is asked for again when it is needed, and the failure is told then. */
function ignored(): void {
  // nothing to do
}
