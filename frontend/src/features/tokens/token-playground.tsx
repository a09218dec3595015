// Any text as the tokens a model would read: coloured in turn, with ids and bytes.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { tokensQuery } from "@/api/models";
import { asProblem } from "@/api/problem";
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { formatCount } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import { Field } from "@/ui/field";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { TextArea } from "@/ui/text-area";
import { countTokens, hexBytes } from "./token-counts";
import styles from "./token-playground.module.css";
import { useDebounced } from "./use-debounced";

const SETTLE_MS = 200;
const EXAMPLE = "The cat sat on the mat, un-be-liev-ably naïve. 3.14159 🙂";
const COLOURS = 5;
const NO_TOKENS: readonly Token[] = [];

export function TokenPlayground() {
  const [text, setText] = useState(EXAMPLE);
  const [withIds, setWithIds] = useState(true);
  const asked = useDebounced(text, SETTLE_MS);
  const split = useQuery({ ...tokensQuery(asked), placeholderData: keepPreviousData });
  const tokens = asked === "" ? NO_TOKENS : (split.data ?? NO_TOKENS);
  const counts = countTokens(tokens);
  return (
    <Panel
      title="Token playground"
      controls={
        <label className={styles["toggle"]}>
          <input
            type="checkbox"
            checked={withIds}
            onChange={(event) => setWithIds(event.target.checked)}
            data-testid="show-ids"
          />
          ids
        </label>
      }
    >
      <Field
        label="text"
        hint="GPT-2's byte-pair encoding. Special-token text such as <|endoftext|> is plain text here."
      >
        {(control) => (
          <TextArea
            {...control}
            rows={4}
            value={text}
            onChange={(event) => setText(event.target.value)}
            spellCheck={false}
            data-testid="playground-text"
          />
        )}
      </Field>
      <p className={styles["counts"]} aria-live="polite" data-testid="token-counts">
        <strong data-testid="token-count">{formatCount(counts.tokens)}</strong> tokens,{" "}
        {formatCount(counts.distinct)} distinct · {formatCount(counts.characters)} characters ·{" "}
        {formatCount(counts.bytes)} bytes ·{" "}
        {counts.bytesPerToken === undefined ? "–" : counts.bytesPerToken.toFixed(2)} bytes per token
      </p>
      {split.error !== null && <ProblemNotice problem={asProblem(split.error)} />}
      <div className={styles["tokens"]} data-testid="playground-tokens" data-tokens={tokens.length}>
        {tokens.map((token, index) => (
          <span
            key={index}
            className={styles["token"]}
            data-colour={index % COLOURS}
            title={`token ${token.id}, bytes ${hexBytes(token)}`}
          >
            <span className={styles["text"]}>{visibleToken(token.text)}</span>
            {withIds && <span className={styles["id"]}>{token.id}</span>}
          </span>
        ))}
      </div>
    </Panel>
  );
}
