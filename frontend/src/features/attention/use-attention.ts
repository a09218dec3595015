// The questions of the attention explorer. Answers are cached by everything they depend on; the name of a model is a
// digest of its weights, so an answer never goes out of date. Leaving a question cancels it.
import { keepPreviousData, useQuery, type QueryFunctionContext } from "@tanstack/react-query";
import { analyse } from "@/api/analyses";
import { getAttention, tokensQuery, withModel } from "@/api/models";
import { tensorNamed } from "@/api/tensors";
import { ASK_AGAIN_MS, whileAway } from "@/api/retry";
import { sqrtIndex } from "@/charts/heatmap/palette";
import type { IndexMatrix } from "@/charts/heatmap/pixels";
import { AttentionKind } from "@/gen/lab/v1/analysis_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import type { ModelSpec } from "@/gen/lab/v1/run_spec_pb";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import { visibleToken } from "@/lib/token-text";
import { exactMatrices, meanMatrix, packedMatrices, type WeightMatrix } from "./attention-maps";
import { planRequests } from "./request-plan";

/** A head by number, or the mean over all heads of its layer. */
export type HeadChoice = number | "mean";

export interface Overview {
  readonly model: string;
  readonly text: string;
  /** By layer times heads plus head; holes while the rest is on its way. */
  readonly matrices: readonly (IndexMatrix | undefined)[];
}

export interface ExactMap {
  readonly labels: readonly string[];
  readonly matrix: WeightMatrix;
  readonly picture: IndexMatrix;
}

const FLOAT_BYTES = 4;
// Followed runs leave a trail of answers about weights that are gone.
const FORGET_AFTER_MS = 30_000;
const ANSWER = {
  staleTime: Infinity,
  gcTime: FORGET_AFTER_MS,
  retry: whileAway,
  retryDelay: ASK_AGAIN_MS,
};

export function useTokens(text: string) {
  return useQuery({ ...tokensQuery(text), placeholderData: keepPreviousData });
}

/** Thumbnails of all heads, one byte per weight. `tokens` is 0 until it is known. */
export function useOverview(model: LoadedModel | undefined, text: string, tokens: number) {
  return useQuery({
    ...ANSWER,
    queryKey: ["attention-overview", model?.name, text],
    queryFn: (context: QueryFunctionContext) => fetchOverview(model, { text, tokens }, context),
    enabled: model !== undefined && tokens > 0,
    placeholderData: keepPreviousData,
  });
}

async function fetchOverview(
  model: LoadedModel | undefined,
  { text, tokens }: { text: string; tokens: number },
  { client, queryKey, signal }: QueryFunctionContext,
): Promise<Overview> {
  if (model === undefined) throw new Error("There is no model to ask.");
  const { layers, heads } = shapeOf(model.spec);
  const matrices: (IndexMatrix | undefined)[] = new Array<undefined>(layers * heads).fill(
    undefined,
  );
  const all = { layers: numbers(layers), heads: numbers(heads) };
  for (const part of planRequests(all, { bytesPerHead: tokens * tokens })) {
    const question = { model: model.name, text, ...part, dtype: Dtype.UINT8_SQRT };
    const answer = await withModel(model, () => getAttention(question, signal), signal);
    if (answer.weights === undefined) throw new Error("The lab's answer held no weights.");
    const packed = packedMatrices(answer.weights);
    answer.layers.forEach((layer, row) =>
      answer.heads.forEach((head, column) => {
        matrices[layer * heads + head] = packed[row * answer.heads.length + column];
      }),
    );
    // What has come so far can be looked at already.
    if (!signal.aborted) {
      client.setQueryData<Overview>(queryKey, { model: model.name, text, matrices: [...matrices] });
    }
  }
  return { model: model.name, text, matrices };
}

export interface MapQuestion {
  readonly text: string;
  readonly tokens: number;
  readonly layer: number;
  readonly head: HeadChoice;
  readonly kind: AttentionKind;
}

/** One map in full precision. */
export function useExactMap(model: LoadedModel | undefined, question: MapQuestion) {
  const { text, tokens, layer, head, kind } = question;
  return useQuery({
    ...ANSWER,
    queryKey: ["attention-map", model?.name, text, layer, head, kind],
    queryFn: ({ signal }) =>
      kind === AttentionKind.WEIGHTS
        ? fetchExactMap(model, question, signal)
        : fetchOtherMap(model, question, signal),
    enabled: model !== undefined && tokens > 0,
    placeholderData: keepPreviousData,
  });
}

/** A map that is made of more than the weights: times the length of what is written, or followed through the layers. */
async function fetchOtherMap(
  model: LoadedModel | undefined,
  { text, layer, head, kind }: MapQuestion,
  signal: AbortSignal,
): Promise<ExactMap> {
  // A rollout has no heads; the mean of what heads write is the mean of their maps.
  const heads = kind === AttentionKind.ROLLOUT || head === "mean" ? [] : [head];
  const attention = { layers: [layer], heads, kind, dtype: Dtype.FLOAT32 };
  const question = { case: "attention", value: attention } as const;
  const answer = await analyse(model, { text, question }, signal);
  const { shape, values } = tensorNamed(answer.tensors, "weights");
  const tokens = shape.at(-1) ?? 0;
  const cells = tokens * tokens;
  const matrices = Array.from({ length: values.length / Math.max(1, cells) }, (_, index) => ({
    tokens,
    weights: values.subarray(index * cells, (index + 1) * cells),
  }));
  return mapOf(
    answer.tokens.map((token) => visibleToken(token.text)),
    meanMatrix(matrices),
  );
}

async function fetchExactMap(
  model: LoadedModel | undefined,
  { text, tokens, layer, head }: MapQuestion,
  signal: AbortSignal,
): Promise<ExactMap> {
  if (model === undefined) throw new Error("There is no model to ask.");
  const heads = head === "mean" ? numbers(shapeOf(model.spec).heads) : [head];
  const plan = planRequests(
    { layers: [layer], heads },
    { bytesPerHead: tokens * tokens * FLOAT_BYTES },
  );
  const matrices: WeightMatrix[] = [];
  let labels: string[] = [];
  for (const part of plan) {
    const question = { model: model.name, text, ...part, dtype: Dtype.FLOAT32 };
    const answer = await withModel(model, () => getAttention(question, signal), signal);
    if (answer.weights === undefined) throw new Error("The lab's answer held no weights.");
    matrices.push(...exactMatrices(answer.weights));
    labels = answer.tokens.map((token) => visibleToken(token.text));
  }
  const [only] = matrices;
  return mapOf(labels, matrices.length === 1 && only !== undefined ? only : meanMatrix(matrices));
}

export function mapOf(labels: readonly string[], matrix: WeightMatrix): ExactMap {
  return { labels, matrix, picture: pictureOf(matrix) };
}

function pictureOf({ tokens, weights }: WeightMatrix): IndexMatrix {
  return { tokens, indices: Uint8Array.from(weights, sqrtIndex) };
}

export function shapeOf(spec: ModelSpec | undefined): {
  layers: number;
  heads: number;
  context: number;
} {
  return { layers: spec?.layers ?? 0, heads: spec?.heads ?? 0, context: spec?.context ?? 0 };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
