// How the lab as a whole is doing.
import { queryOptions } from "@tanstack/react-query";
import { SystemStatusSchema } from "@/gen/lab/v1/rest_pb";
import { request } from "./http";

const REFRESH_MS = 5_000;

export const systemQuery = queryOptions({
  queryKey: ["system"],
  queryFn: ({ signal }) => request("GET", "/api/system", SystemStatusSchema, { signal }),
  refetchInterval: REFRESH_MS,
});
