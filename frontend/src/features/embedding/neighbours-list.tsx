// The tokens whose embeddings point most nearly the same way as that of one, in all directions, not on the map alone.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { analysisQuery } from "@/api/analyses";
import { asProblem } from "@/api/problem";
import { tensorNamed } from "@/api/tensors";
import { Bars } from "@/charts/bars/bars";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { formatNumber } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import { Explained } from "@/ui/explained";
import { ProblemNotice } from "@/ui/problem-notice";
import styles from "./embedding-panel.module.css";

const DEFINITION =
  "Cosine of two embeddings, a·b ÷ (|a| |b|), over the whole vocabulary: 1 is the same way, 0 is at a right angle. Untrained embeddings are random: the best of V of them at width C lies near √(2 ln V ÷ C) by chance alone, 0.37 at width 160. Neighbours beyond that come from training; that they are near does not say why.";
const TOP = 8;

export function NeighboursList({
  model,
  token,
  text,
}: {
  model: LoadedModel;
  token: number;
  text: string;
}) {
  const question = { case: "neighbours", value: { token, top: TOP } } as const;
  const { data, error, isPlaceholderData } = useQuery({
    ...analysisQuery(model, { text: "", question }),
    placeholderData: keepPreviousData,
  });
  if (error) return <ProblemNotice problem={asProblem(error)} />;
  if (!data) return <p className={styles["note"]}>computing…</p>;
  const ids = tensorNamed(data.tensors, "neighbour_ids").values;
  const cosine = tensorNamed(data.tensors, "cosine").values;
  const [length] = tensorNamed(data.tensors, "length").values;
  const words = new Map(data.words.map((word) => [word.id, word.text]));
  return (
    <div className={isPlaceholderData ? styles["old"] : undefined}>
      <p className={styles["note"]}>
        nearest to <code>{visibleToken(text)}</code> by{" "}
        <Explained as={DEFINITION}>cosine</Explained>; its length is {formatNumber(length)}
      </p>
      <Bars
        label="Nearest tokens"
        data-testid="neighbours"
        tokens
        bars={Array.from(ids, (id, place) => ({
          key: id,
          name: visibleToken(words.get(id) ?? `#${id}`),
          title: `token ${id}`,
          share: cosine[place] ?? 0,
          value: (cosine[place] ?? NaN).toFixed(2),
        }))}
      />
    </div>
  );
}
