// What the Inside page asks of a model at a step, for asking it before the playhead gets there.
import type { QueryClient } from "@tanstack/react-query";
import { analysisQuery, type Question } from "@/api/analyses";
import { tokensQuery } from "@/api/models";
import { exactMapQuery, overviewQuery, type HeadChoice } from "@/features/attention/use-attention";
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
  // The losses of the text, and whatever else is in sight now: it will be there too.
  for (const question of askedNow(client, text)) {
    const analysis = analysisQuery(model, { text: question.text, question: question.asked, other });
    await errand.fetch(analysis.queryKey, () => client.query(analysis));
  }
}

function askedNow(client: QueryClient, text: string): { text: string; asked: Question }[] {
  const questions = client
    .getQueryCache()
    .findAll({ queryKey: ["analysis"], type: "active" })
    .map(({ queryKey }) => queryKey as ReturnType<typeof analysisQuery>["queryKey"])
    .filter((key) => key[2] === text || key[2] === "") // weights and embeddings have none
    .map((key) => ({ text: key[2], asked: key[3] }));
  return uniqueBy(questions, (one) => JSON.stringify(one));
}

function uniqueBy<T>(values: readonly T[], keyOf: (value: T) => string): T[] {
  return [...new Map(values.map((value) => [keyOf(value), value])).values()];
}
