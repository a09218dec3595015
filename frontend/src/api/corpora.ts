// The corpora: what is known here, and the beginning of each.
import { queryOptions } from "@tanstack/react-query";
import { CorpusState } from "@/gen/lab/v1/corpus_pb";
import {
  ListCorporaResponseSchema,
  PreviewCorpusResponseSchema,
} from "@/gen/lab/v1/trainer_service_pb";
import { request } from "./http";

export const corporaQuery = queryOptions({
  queryKey: ["corpora"],
  queryFn: async ({ signal }) =>
    (await request("GET", "/api/corpora", ListCorporaResponseSchema, { signal })).corpora,
  // One that is being fetched or tokenised is looked at until it is ready.
  refetchInterval: ({ state }) =>
    state.data?.some((corpus) => corpus.state === CorpusState.PREPARING) ? 1_000 : false,
});

/** `name` is "corpora/{corpus}". Fetches the text when it is absent, which can take a while. */
export function corpusPreviewQuery(name: string) {
  return queryOptions({
    queryKey: ["corpora", name, "preview"],
    queryFn: ({ signal }) =>
      request("GET", `/api/${name}:preview`, PreviewCorpusResponseSchema, { signal }),
  });
}
