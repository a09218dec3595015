// What training does to each tensor and layer, as recorded at intervals.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { QueryHealthResponseSchema, type QueryHealthResponse } from "@/gen/lab/v1/recording_pb";
import { request } from "./http";

/** Of every question about the health of a run. */
export function healthKey(run: string): readonly string[] {
  return ["health", run];
}

/** `run` is "runs/{run}". Its followers are told when to ask again, so nothing is asked by the clock. */
export function healthQuery(run: string, metric: string) {
  return queryOptions({
    queryKey: [...healthKey(run), metric],
    queryFn: ({ signal }): Promise<QueryHealthResponse> =>
      request("GET", `/api/${run}/health`, QueryHealthResponseSchema, {
        query: { metric },
        binary: true,
        signal,
      }),
    placeholderData: keepPreviousData,
  });
}
