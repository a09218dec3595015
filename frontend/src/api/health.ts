// What training does to each tensor and layer, as recorded at intervals.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { QueryHealthResponseSchema, type QueryHealthResponse } from "@/gen/lab/v1/recording_pb";
import { request } from "./http";

const MOVING_EVERY_MS = 5_000;

/** `run` is "runs/{run}"; asked again while the run makes steps. */
export function healthQuery(run: string, metric: string, moving: boolean) {
  return queryOptions({
    queryKey: ["health", run, metric, moving],
    queryFn: ({ signal }): Promise<QueryHealthResponse> =>
      request("GET", `/api/${run}/health`, QueryHealthResponseSchema, {
        query: { metric },
        binary: true,
        signal,
      }),
    placeholderData: keepPreviousData,
    refetchInterval: moving ? MOVING_EVERY_MS : false,
  });
}
