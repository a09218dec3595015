// How a text becomes tokens, merge by merge, and what token ids say. The same for ever, so each is asked once.
import { create } from "@bufbuild/protobuf";
import { queryOptions } from "@tanstack/react-query";
import {
  TokenizeRequestSchema,
  TokenizeResponseSchema,
  type TokenizeResponse,
} from "@/gen/lab/v1/inference_service_pb";
import { request } from "./http";
import { ASK_AGAIN_MS, whileAway } from "./retry";

/** Beyond this the lab tells the tokens of a text, but not how they were made. */
export const MOST_MERGED_BYTES = 8192;

export function mergesQuery(text: string) {
  const withMerges = new TextEncoder().encode(text).length <= MOST_MERGED_BYTES;
  return queryOptions({
    queryKey: ["merges", text],
    queryFn: ({ signal }) => tokenize({ text, withMerges }, signal),
    enabled: text !== "",
    staleTime: Infinity,
    retry: whileAway,
    retryDelay: ASK_AGAIN_MS,
  });
}

export function readBackQuery(ids: readonly number[]) {
  return queryOptions({
    queryKey: ["read-back", ids],
    queryFn: ({ signal }) => tokenize({ tokenIds: [...ids] }, signal),
    enabled: ids.length > 0,
    staleTime: Infinity,
    retry: whileAway,
    retryDelay: ASK_AGAIN_MS,
  });
}

function tokenize(
  body: { text?: string; withMerges?: boolean; tokenIds?: number[] },
  signal: AbortSignal,
): Promise<TokenizeResponse> {
  return request("POST", "/api/models:tokenize", TokenizeResponseSchema, {
    schema: TokenizeRequestSchema,
    body: create(TokenizeRequestSchema, body),
    signal,
    binary: true,
  });
}
