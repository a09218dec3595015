// The presets, complete specs by name.
import { queryOptions } from "@tanstack/react-query";
import { ListPresetsResponseSchema } from "@/gen/lab/v1/trainer_service_pb";
import { request } from "./http";

export const presetsQuery = queryOptions({
  queryKey: ["presets"],
  queryFn: async ({ signal }) =>
    (await request("GET", "/api/presets", ListPresetsResponseSchema, { signal })).presets,
  staleTime: Infinity, // presets are files that only a restart re-reads
});
