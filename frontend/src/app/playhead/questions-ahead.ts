// What the Inside page asks of a model at a step, for asking it before the playhead gets there.
import { tokensQuery } from "@/api/models";
import { activationsQuery } from "@/features/activations/activations-panel";
import { exactMapQuery, overviewQuery, type HeadChoice } from "@/features/attention/use-attention";
import { tokenLossesQuery } from "@/features/attention/use-token-losses";
import { lensQuery } from "@/features/lens/use-lens";
import { AttentionKind } from "@/gen/lab/v1/analysis_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import type { Errand } from "./errand";

export interface PageQuestion {
  readonly text: string;
  readonly layer: number;
  readonly head: HeadChoice;
  /** What the model is compared with. */
  readonly other: LoadedModel | undefined;
}

/** In the order of what catches the eye. */
export async function questionsAhead(
  errand: Errand,
  model: LoadedModel,
  { text, layer, head, other }: PageQuestion,
): Promise<void> {
  const { client } = errand;
  const split = tokensQuery(text);
  const tokens = (await errand.fetch(split.queryKey, () => client.query(split)))?.length ?? 0;
  if (tokens === 0 || tokens > (model.spec?.context ?? 0)) return;
  const asked = { model, other };
  const overview = overviewQuery(asked, { text, tokens });
  await errand.fetch(overview.queryKey, () => client.query(overview));
  const map = exactMapQuery(asked, { text, tokens, layer, head, kind: AttentionKind.WEIGHTS });
  await errand.fetch(map.queryKey, () => client.query(map));
  for (const query of [tokenLossesQuery, lensQuery, activationsQuery]) {
    const analysis = query(asked, text);
    await errand.fetch(analysis.queryKey, () => client.query(analysis));
  }
}
