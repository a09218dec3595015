// What a run's probe texts told, at every step the model was looked at. It is there without any saved weights.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import {
  GetProbeResponseSchema,
  ListProbesResponseSchema,
  type ListProbesResponse,
  type ProbeRecord,
} from "@/gen/lab/v1/recording_pb";
import { request } from "./http";
import { required } from "./required";

/** `run` is "runs/{run}"; `news` changes when there may be more. */
export function probesQuery(
  run: string,
  news: number,
  options: { scores: boolean; limit: number },
) {
  return queryOptions({
    queryKey: ["probes", run, options.scores, options.limit, news],
    queryFn: ({ signal }): Promise<ListProbesResponse> =>
      request("GET", `/api/${run}/probes`, ListProbesResponseSchema, {
        query: { scores: String(options.scores), limit: options.limit },
        binary: true,
        signal,
      }),
    placeholderData: keepPreviousData,
    // Each list replaces the one before it; old ones are of no use.
    gcTime: 0,
  });
}

/** One record with its attention. A step can be made again after a resume, so it is not kept for ever. */
export function probeQuery(run: string, step: number) {
  return queryOptions({
    queryKey: ["probe", run, step],
    queryFn: async ({ signal }): Promise<ProbeRecord> => {
      const answer = await request("GET", `/api/${run}/probes/${step}`, GetProbeResponseSchema, {
        binary: true,
        signal,
      });
      return required(answer.record, "record");
    },
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
}
