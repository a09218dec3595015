// Models in memory, and how text splits for them.
import { create } from "@bufbuild/protobuf";
import { queryOptions } from "@tanstack/react-query";
import {
  LoadModelRequestSchema,
  LoadModelResponseSchema,
  TokenizeRequestSchema,
  TokenizeResponseSchema,
} from "@/gen/lab/v1/inference_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import type { Token } from "@/gen/lab/v1/tensor_pb";
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
