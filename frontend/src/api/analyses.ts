// Questions about the inside of a model. An answer belongs to the digest of the weights, so it never goes out of date.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { queryOptions } from "@tanstack/react-query";
import {
  AnalyseRequestSchema,
  AnalyseResponseSchema,
  type AnalyseResponse,
} from "@/gen/lab/v1/analysis_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { request } from "./http";
import { withModel } from "./models";
import { ASK_AGAIN_MS, whileAway } from "./retry";

export type Question = NonNullable<MessageInitShape<typeof AnalyseRequestSchema>["question"]>;

/** A playhead leaves a trail of answers; those nobody looks at any more go. */
const FORGET_AFTER_MS = 60_000;

export interface Analysis {
  readonly text: string;
  readonly question: Question;
  /** A second model to ask too: the answer then has its arrays and the differences, other less model. */
  readonly other?: LoadedModel | undefined;
}

/** Leaving the question cancels it, at the server too. */
export function analysisQuery(model: LoadedModel | undefined, { text, question, other }: Analysis) {
  return queryOptions({
    queryKey: ["analysis", model?.name, text, question, other?.name] as const,
    queryFn: ({ signal }) => analyse(model, { text, question, other }, signal),
    enabled: model !== undefined,
    staleTime: Infinity,
    gcTime: FORGET_AFTER_MS,
    retry: whileAway,
    retryDelay: ASK_AGAIN_MS,
  });
}

export async function analyse(
  model: LoadedModel | undefined,
  { text, question, other }: Analysis,
  signal: AbortSignal,
): Promise<AnalyseResponse> {
  if (model === undefined) throw new Error("There is no model to ask.");
  const ask = () =>
    request("POST", `/api/${model.name}:analyse`, AnalyseResponseSchema, {
      schema: AnalyseRequestSchema,
      // The model is in the path.
      body: create(AnalyseRequestSchema, { text, question, otherModel: other?.name ?? "" }),
      signal,
      binary: true,
    });
  if (other === undefined) return withModel(model, ask, signal);
  // Either may have been let go of, and then both.
  return withModel(other, () => withModel(model, ask, signal), signal);
}
