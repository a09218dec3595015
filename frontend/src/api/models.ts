// Models in memory, how text splits for them, and what their heads look at.
import { create } from "@bufbuild/protobuf";
import { queryOptions } from "@tanstack/react-query";
import {
  GetAttentionRequestSchema,
  GetAttentionResponseSchema,
  type GetAttentionResponse,
} from "@/gen/lab/v1/analysis_service_pb";
import {
  LoadModelRequestSchema,
  LoadModelResponseSchema,
  TokenizeRequestSchema,
  TokenizeResponseSchema,
} from "@/gen/lab/v1/inference_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import type { Dtype, Token } from "@/gen/lab/v1/tensor_pb";
import { request } from "./http";
import { ProblemError } from "./problem";
import { required } from "./required";
import { ASK_AGAIN_MS, whileAway } from "./retry";

/** `source` names a checkpoint or a peek. */
export async function loadModel(source: string, signal?: AbortSignal): Promise<LoadedModel> {
  const answer = await request("POST", "/api/models:load", LoadModelResponseSchema, {
    schema: LoadModelRequestSchema,
    body: create(LoadModelRequestSchema, { source }),
    signal,
  });
  return required(answer.model, "model");
}

/** Asks about a model, and brings it back into memory once when it was let go of in the meantime. */
export async function withModel<Answer>(
  model: LoadedModel,
  ask: () => Promise<Answer>,
  signal?: AbortSignal,
): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.reason !== "NOT_FOUND") throw error;
    const again = await loadModel(model.source, signal);
    // A peek may hold newer weights by now: an answer about those would be about another model.
    if (again.name !== model.name) throw error;
    return ask();
  }
}

/** How a text splits. The same for ever, so it is asked once. */
export function tokensQuery(text: string) {
  return queryOptions({
    queryKey: ["tokens", text],
    queryFn: ({ signal }) => tokenize(text, signal),
    enabled: text !== "",
    staleTime: Infinity,
    retry: whileAway,
    retryDelay: ASK_AGAIN_MS,
  });
}

async function tokenize(text: string, signal: AbortSignal): Promise<Token[]> {
  const answer = await request("POST", "/api/models:tokenize", TokenizeResponseSchema, {
    schema: TokenizeRequestSchema,
    body: create(TokenizeRequestSchema, { text }),
    signal,
  });
  return answer.tokens;
}

export interface AttentionQuestion {
  /** "models/{model}". */
  readonly model: string;
  readonly text: string;
  /** Empty means all, here and for heads. */
  readonly layers: readonly number[];
  readonly heads: readonly number[];
  readonly dtype: Dtype;
}

export function getAttention(
  { model, text, layers, heads, dtype }: AttentionQuestion,
  signal?: AbortSignal,
): Promise<GetAttentionResponse> {
  return request("POST", `/api/${model}:attention`, GetAttentionResponseSchema, {
    schema: GetAttentionRequestSchema,
    // The model is in the path.
    body: create(GetAttentionRequestSchema, {
      text,
      layers: [...layers],
      heads: [...heads],
      dtype,
    }),
    signal,
    binary: true,
  });
}
