// Everything the explorer shows, from the answers at hand. The picture comes from whatever answers the present question
// best: exact weights, else the thumbnail's, else the last picture, which is then marked as old.
import { useMemo } from "react";
import type { HeadPlace } from "@/charts/heatmap/grid-geometry";
import type { IndexMatrix } from "@/charts/heatmap/pixels";
import { AttentionKind } from "@/gen/lab/v1/analysis_service_pb";
import { visibleToken } from "@/lib/token-text";
import type { Token } from "@/gen/lab/v1/tensor_pb";
import {
  shapeOf,
  useExactMap,
  useOverview,
  useTokens,
  type Asked,
  type ExactMap,
  type HeadChoice,
} from "./use-attention";

const NO_TOKENS: never[] = [];

export interface AttentionQuery {
  readonly text: string;
  readonly layer: number;
  readonly head: HeadChoice;
  readonly kind: AttentionKind;
}

export interface AttentionView {
  readonly tokens: readonly Token[];
  readonly tooLong: boolean;
  readonly context: number;
  readonly matrixOf: (place: HeadPlace) => IndexMatrix | undefined;
  readonly picture: IndexMatrix | undefined;
  /** Of the picture, which may show an older text. */
  readonly labels: readonly string[];
  readonly pictureIsOld: boolean;
  /** The newest exact weights there are, and whether they answer an older question. */
  readonly exact: ExactMap | undefined;
  readonly exactIsOld: boolean;
  /** Cells stand for several tokens each, so rows need not sum to 1. */
  readonly averaged: boolean;
  readonly overviewIsOld: boolean;
  readonly busy: boolean;
  /** Why there is no answer yet; it may come by itself when something was away. */
  readonly error: Error | null;
  readonly retry: () => void;
}

export function useAttentionView(
  asked: Asked,
  { text, layer, head, kind }: AttentionQuery,
): AttentionView {
  const { model } = asked;
  const split = useTokens(text);
  const tokens = split.data ?? NO_TOKENS;
  const labels = useMemo(() => tokens.map((token) => visibleToken(token.text)), [tokens]);
  const { heads, context } = shapeOf(model?.spec);
  const tooLong = model !== undefined && tokens.length > context;
  const count = split.isPlaceholderData || tooLong ? 0 : tokens.length;
  const overview = useOverview(asked, { text, tokens: count });
  const exact = useExactMap(asked, { text, tokens: count, layer, head, kind });

  const matrices = overview.data?.matrices;
  const matrixOf = useMemo(
    () => (place: HeadPlace) => matrices?.[place.layer * heads + place.head],
    [matrices, heads],
  );
  const thumbnail =
    head === "mean" || kind !== AttentionKind.WEIGHTS || overview.isPlaceholderData
      ? undefined
      : matrixOf({ layer, head });
  const exactIsOld = exact.isPlaceholderData || exact.data === undefined;
  const picture: IndexMatrix | undefined =
    exactIsOld && thumbnail ? thumbnail : exact.data?.picture;
  return {
    tokens,
    tooLong,
    context,
    matrixOf,
    picture,
    labels: exactIsOld && thumbnail ? labels : (exact.data?.labels ?? labels),
    pictureIsOld: exactIsOld && thumbnail === undefined,
    exact: exact.data,
    averaged: false,
    exactIsOld,
    overviewIsOld: overview.isPlaceholderData,
    busy: split.isFetching || overview.isFetching || exact.isFetching,
    error: [split, exact, overview].map(troubleOf).find((error) => error !== null) ?? null,
    retry: () => {
      void split.refetch();
      void overview.refetch();
      void exact.refetch();
    },
  };
}

// The first failure is told while the question is still repeated in the background.
function troubleOf({ error, failureReason }: { error: Error | null; failureReason: Error | null }) {
  return error ?? failureReason;
}
