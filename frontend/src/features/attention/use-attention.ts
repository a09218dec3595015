// The questions of the attention explorer. Answers are cached by everything they depend on; the name of a model is a
// digest of its weights, so an answer never goes out of date. Leaving a question cancels it.
import {
  keepPreviousData,
  queryOptions,
  useQuery,
  type QueryFunctionContext,
} from "@tanstack/react-query";
import { analyse } from "@/api/analyses";
import { tokensQuery } from "@/api/models";
import { MalformedTensor, weightOf } from "@/api/tensors";
import { ASK_AGAIN_MS, whileAway } from "@/api/retry";
import { signedIndex, sqrtIndex } from "@/charts/heatmap/palette";
import type { IndexMatrix } from "@/charts/heatmap/pixels";
import { AttentionKind } from "@/gen/lab/v1/analysis_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import type { ModelSpec } from "@/gen/lab/v1/run_spec_pb";
import { Dtype, type NamedTensor, type Tensor } from "@/gen/lab/v1/tensor_pb";
import { visibleToken } from "@/lib/token-text";
import {
  differenceOf,
  exactMatrices,
  meanMatrix,
  triangleMatrices,
  type PackedMatrix,
  type WeightMatrix,
} from "./attention-maps";
import { planRequests } from "./request-plan";

/** A head by number, or the mean over all heads of its layer. */
export type HeadChoice = number | "mean";

/** The model that is looked into, and a second one that it is compared with. */
export interface Asked {
  readonly model: LoadedModel | undefined;
  readonly other?: LoadedModel | undefined;
}

export interface Overview {
  /** By layer times heads plus head; holes while the rest is on its way. Differences where two models were asked. */
  readonly matrices: readonly (IndexMatrix | undefined)[];
}

export interface ExactMap {
  readonly labels: readonly string[];
  readonly matrix: WeightMatrix;
  /** The second model's. */
  readonly other?: WeightMatrix | undefined;
  readonly picture: IndexMatrix;
}

// Long enough for a walk along the rail and back; a followed run leaves a trail of answers about weights that are gone.
const FORGET_AFTER_MS = 60_000;
const ANSWER = {
  staleTime: Infinity,
  gcTime: FORGET_AFTER_MS,
  retry: whileAway,
  retryDelay: ASK_AGAIN_MS,
};

export function useTokens(text: string) {
  return useQuery({ ...tokensQuery(text), placeholderData: keepPreviousData });
}

export interface OverviewQuestion {
  readonly text: string;
  /** 0 until it is known. */
  readonly tokens: number;
}

export function useOverview(asked: Asked, question: OverviewQuestion) {
  return useQuery({ ...overviewQuery(asked, question), placeholderData: keepPreviousData });
}

/** Thumbnails of all heads, one byte per weight that is not masked. */
export function overviewQuery(asked: Asked, question: OverviewQuestion) {
  const { model, other } = asked;
  return queryOptions({
    ...ANSWER,
    queryKey: ["attention-overview", model?.name, question.text, other?.name],
    queryFn: (context) => fetchOverview(asked, question, context),
    enabled: model !== undefined && question.tokens > 0,
  });
}

async function fetchOverview(
  { model, other }: Asked,
  { text, tokens }: OverviewQuestion,
  { client, queryKey, signal }: QueryFunctionContext,
): Promise<Overview> {
  const { layers, heads } = shapeOf(model?.spec);
  const matrices = new Array<IndexMatrix | undefined>(layers * heads).fill(undefined);
  const all = { layers: numbers(layers), heads: numbers(heads) };
  const bytesPerHead = (tokens * (tokens + 1)) / 2;
  for (const part of planRequests(all, { bytesPerHead })) {
    const value = { layers: [...part.layers], heads: [...part.heads] };
    const question = { case: "attention", value } as const;
    const answer = await analyse(model, { text, question, other }, signal);
    const packed = triangleMatrices(weightsIn(answer.tensors));
    const others = other && triangleMatrices(weightsIn(answer.otherTensors));
    part.layers.forEach((layer, row) =>
      part.heads.forEach((head, column) => {
        const place = row * part.heads.length + column;
        const [mine, theirs] = [packed[place], others?.[place]];
        matrices[layer * heads + head] = mine && theirs ? packedDifference(mine, theirs) : mine;
      }),
    );
    // What has come so far can be looked at already.
    if (!signal.aborted) client.setQueryData<Overview>(queryKey, { matrices: [...matrices] });
  }
  return { matrices };
}

export interface MapQuestion {
  readonly text: string;
  readonly tokens: number;
  readonly layer: number;
  readonly head: HeadChoice;
  readonly kind: AttentionKind;
}

export function useExactMap(asked: Asked, question: MapQuestion) {
  return useQuery({ ...exactMapQuery(asked, question), placeholderData: keepPreviousData });
}

/** One map in full precision. */
export function exactMapQuery(asked: Asked, question: MapQuestion) {
  const { model, other } = asked;
  const { text, tokens, layer, head, kind } = question;
  return queryOptions({
    ...ANSWER,
    queryKey: ["attention-map", model?.name, text, layer, head, kind, other?.name],
    queryFn: ({ signal }) => fetchExactMap(asked, question, signal),
    enabled: model !== undefined && tokens > 0,
  });
}

async function fetchExactMap(
  { model, other }: Asked,
  { text, layer, head, kind: wanted }: MapQuestion,
  signal: AbortSignal,
): Promise<ExactMap> {
  // The mean of the weights is made where they are. A rollout has no heads; the mean of what heads write is that of
  // their maps.
  const isMean = head === "mean" && wanted === AttentionKind.WEIGHTS;
  const kind = isMean ? AttentionKind.MEAN : wanted;
  const heads = kind === AttentionKind.ROLLOUT || head === "mean" ? [] : [head];
  const attention = { layers: [layer], heads, kind, dtype: Dtype.FLOAT32 };
  const question = { case: "attention", value: attention } as const;
  const answer = await analyse(model, { text, question, other }, signal);
  const labels = answer.tokens.map((token) => visibleToken(token.text));
  const matrix = oneMatrix(answer.tensors);
  return mapOf(labels, matrix, other && oneMatrix(answer.otherTensors));
}

function oneMatrix(tensors: readonly NamedTensor[]): WeightMatrix {
  const matrices = exactMatrices(weightsIn(tensors));
  const [only] = matrices;
  return matrices.length === 1 && only !== undefined ? only : meanMatrix(matrices);
}

function weightsIn(tensors: readonly NamedTensor[]): Tensor {
  const found = tensors.find(({ name }) => name === "weights")?.tensor;
  if (found === undefined) throw new MalformedTensor("The lab's answer held no weights.");
  return found;
}

export function mapOf(
  labels: readonly string[],
  matrix: WeightMatrix,
  other?: WeightMatrix,
): ExactMap {
  const picture = other ? pictureOf(differenceOf(matrix, other), true) : pictureOf(matrix);
  return { labels, matrix, other, picture };
}

function pictureOf({ tokens, weights }: WeightMatrix, signed = false): IndexMatrix {
  return { tokens, indices: Uint8Array.from(weights, signed ? signedIndex : sqrtIndex), signed };
}

function packedDifference(one: PackedMatrix, other: PackedMatrix): IndexMatrix {
  const indices = one.indices.map((byte, cell) =>
    signedIndex(weightOf(other.indices[cell] ?? 0) - weightOf(byte)),
  );
  return { tokens: one.tokens, indices, signed: true };
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
