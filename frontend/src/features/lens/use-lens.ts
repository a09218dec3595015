// The lens of a text, as far as it is looked at: parts of it are asked about when they come in sight.
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { analysisQuery } from "@/api/analyses";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { lensOf, otherLensOf, PART_TOKENS, type LensPart } from "./lens";

export interface LensAsked {
  readonly model: LoadedModel | undefined;
  readonly other?: LoadedModel | undefined;
}

/** Tokens of a text, `to` not among them. */
export interface TokensInSight {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** The part of the text that begins with that token. */
export function lensQuery({ model, other }: LensAsked, text: string, first = 0) {
  const question = { case: "lens", value: { top: 5, first, count: PART_TOKENS } } as const;
  return analysisQuery(model, { text, question, other });
}

export function useLens(asked: LensAsked, inSight: TokensInSight, { wanted }: { wanted: boolean }) {
  const { text, from, to } = inSight;
  const first = PART_TOKENS * Math.floor(from / PART_TOKENS);
  const near = usePart(asked, { text, first, wanted });
  const length = near.part?.answer.tokens.length ?? 0;
  // Where two parts meet both are in sight; a third would need a table wider than any screen.
  const next = first + PART_TOKENS;
  const both = next < to && next < length;
  const far = usePart(asked, { text, first: next, wanted: wanted && both });
  const [one, two] = [near.part, far.part];
  const found = useMemo(
    () => one && { text, parts: two ? [one, two] : [one], answer: one.answer },
    [text, one, two],
  );
  // What was seen last stays until there is something newer.
  const [shown, setShown] = useState(found);
  if (found && found !== shown) setShown(found);
  return {
    /** That of the lens, which may be the one before. */
    text: shown?.text ?? text,
    answer: shown?.answer,
    lens: useMemo(() => shown && lensOf(shown.parts), [shown]),
    theirs: useMemo(() => shown && otherLensOf(shown.parts), [shown]),
    pending: wanted && (one === undefined || (both && two === undefined)),
    error: near.error ?? far.error,
  };
}

function usePart(
  asked: LensAsked,
  { text, first, wanted }: { text: string; first: number; wanted: boolean },
): { part: LensPart | undefined; error: Error | null } {
  const { data, error } = useQuery({
    ...lensQuery(asked, text, first),
    enabled: wanted && asked.model !== undefined && text !== "",
  });
  const part = useMemo(() => data && { first, answer: data }, [data, first]);
  return { part, error };
}
