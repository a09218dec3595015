// Everything the explorer shows, from the answers at hand. The picture comes from whatever answers the present question
// best: exact weights, else the thumbnail's, else the last picture, which is then marked as old.
import { useMemo } from "react";
import type { HeadPlace } from "@/charts/heatmap/grid-geometry";
import type { IndexMatrix } from "@/charts/heatmap/pixels";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { visibleToken } from "@/lib/token-text";
import { shapeOf, useExactMap, useOverview, useTokens, type HeadChoice } from "./use-attention";

const NO_TOKENS: never[] = [];

export interface AttentionQuery {
  readonly text: string;
  readonly layer: number;
  readonly head: HeadChoice;
}

export function useAttentionView(
  model: LoadedModel | undefined,
  { text, layer, head }: AttentionQuery,
) {
  const split = useTokens(text);
  const tokens = split.data ?? NO_TOKENS;
  const labels = useMemo(() => tokens.map((token) => visibleToken(token.text)), [tokens]);
  const { heads, context } = shapeOf(model?.spec);
  const tooLong = model !== undefined && tokens.length > context;
  const count = split.isPlaceholderData || tooLong ? 0 : tokens.length;
  const overview = useOverview(model, text, count);
  const exact = useExactMap(model, { text, tokens: count, layer, head });

  const matrices = overview.data?.matrices;
  const matrixOf = useMemo(
    () => (place: HeadPlace) => matrices?.[place.layer * heads + place.head],
    [matrices, heads],
  );
  const thumbnail =
    head === "mean" || overview.isPlaceholderData ? undefined : matrixOf({ layer, head });
  const exactIsOld = exact.isPlaceholderData || exact.data === undefined;
  const picture: IndexMatrix | undefined =
    exactIsOld && thumbnail ? thumbnail : exact.data?.picture;
  return {
    tokens,
    tooLong,
    context,
    matrixOf,
    picture,
    /** Of the picture, which may show an older text. */
    labels: exactIsOld && thumbnail ? labels : (exact.data?.labels ?? labels),
    pictureIsOld: exactIsOld && thumbnail === undefined,
    /** The newest exact weights there are, and whether they answer an older question. */
    exact: exact.data,
    exactIsOld,
    overviewIsOld: overview.isPlaceholderData,
    busy: split.isFetching || overview.isFetching || exact.isFetching,
    /** Why there is no answer yet; it may come by itself when something was away. */
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
