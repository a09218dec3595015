// Any text as the tokens a model would read, and any ids as the text they say; how each token was put together.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { mergesQuery, readBackQuery } from "@/api/tokenize";
import type { TokenizedWord } from "@/gen/lab/v1/inference_service_pb";
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { Explained } from "@/ui/explained";
import { Field } from "@/ui/field";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import { TextArea } from "@/ui/text-area";
import { bytesOf, END_OF_TEXT } from "./merge-steps";
import { MergeView } from "./merge-view";
import { TokenChips, type UnderToken } from "./token-chips";
import { countTokens } from "./token-counts";
import { readIds } from "./token-ids";
import styles from "./token-playground.module.css";
import { useDebounced } from "./use-debounced";

const SETTLE_MS = 200;
const EXAMPLE = "The cat sat on the mat, unbelievably naïve; tokenization: 3.14159 🙂 你好";
const NO_TOKENS: readonly Token[] = [];
const NO_WORDS: readonly TokenizedWord[] = [];
const NO_IDS: readonly number[] = [];
const PER_WORD =
  "Tokens ÷ words between white space. GPT-2 was made for English web pages, where it is about 1.3; other languages, code and rare words take more, and every token costs the same to read and to write.";
const UNDER: readonly { value: UnderToken; label: string }[] = [
  { value: "ids", label: "ids below" },
  { value: "bytes", label: "bytes below" },
  { value: "nothing", label: "text only" },
];

type From = "text" | "ids";

export function TokenPlayground() {
  const [from, setFrom] = useState<From>("text");
  const [text, setText] = useState(EXAMPLE);
  const [idText, setIdText] = useState("");
  const [under, setUnder] = useState<UnderToken>("ids");
  const [hovered, setHovered] = useState<number | null>(null);
  const [locked, setLocked] = useState<number | null>(null);
  const read = readIds(useDebounced(idText, SETTLE_MS));
  const ids = from === "ids" && "ids" in read ? read.ids : NO_IDS;
  const askedText = useDebounced(text, SETTLE_MS);
  const back = useQuery({ ...readBackQuery(ids), placeholderData: keepPreviousData });
  // Ids that people type say a text; what the tokenizer makes of that text is asked again.
  const said = ids.length === 0 ? "" : sayTokens(back.data?.tokens ?? NO_TOKENS);
  const split = useQuery({
    ...mergesQuery(from === "text" ? askedText : said),
    placeholderData: keepPreviousData,
  });
  const source = from === "text" ? split : back;
  const trouble = source.error ?? source.failureReason; // it is asked for again while the lab is away
  const empty = from === "text" ? askedText === "" : ids.length === 0;
  const tokens = empty ? NO_TOKENS : (source.data?.tokens ?? NO_TOKENS);
  const words = from === "text" && !empty ? (split.data?.words ?? NO_WORDS) : NO_WORDS;
  const counts = countTokens(tokens.filter(({ id }) => id !== END_OF_TEXT));
  const held = locked !== null && locked < tokens.length ? locked : null;
  const shown = held ?? (hovered !== null && hovered < tokens.length ? hovered : null);
  const turn = () => {
    setLocked(null);
    if (from === "text") setIdText(tokens.map(({ id }) => id).join(" "));
    else setText(said);
    setFrom(from === "text" ? "ids" : "text");
  };

  return (
    <Panel
      title="Token playground"
      definition="GPT-2's byte-pair encoding: a text in UTF-8, cut into words, each word merged from its bytes into the tokens of a vocabulary of 50,257. The models of the lab read and write these ids and nothing else."
      data-testid="token-playground"
      controls={
        <>
          <Select
            aria-label="What stands below each token"
            value={under}
            options={UNDER.map(({ value, label }) => ({ value, label }))}
            onChange={(event) => {
              const found = UNDER.find(({ value }) => value === event.target.value);
              if (found) setUnder(found.value);
            }}
            data-testid="under-tokens"
          />
          <Button onClick={turn} data-testid="turn-playground">
            {from === "text" ? "ids → text" : "text → ids"}
          </Button>
        </>
      }
    >
      {from === "text" ? (
        <Field
          label="text"
          hint="Special-token text such as <|endoftext|> is plain text here; the token itself can only be given as an id."
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
      ) : (
        <Field
          label="token ids"
          hint="0 to 50,256, with spaces or commas between them; 50256 is <|endoftext|>."
          error={"error" in read ? read.error : undefined}
        >
          {(control) => (
            <TextArea
              {...control}
              rows={4}
              value={idText}
              onChange={(event) => setIdText(event.target.value)}
              spellCheck={false}
              data-testid="playground-ids"
            />
          )}
        </Field>
      )}
      <p className={styles["counts"]} aria-live="polite" data-testid="token-counts">
        <strong data-testid="token-count">{formatCount(tokens.length)}</strong> tokens,{" "}
        {formatCount(counts.distinct)} distinct · {formatCount(counts.characters)} characters ·{" "}
        {formatCount(counts.bytes)} bytes · {formatCount(counts.words)} words ·{" "}
        {ratio(counts.charactersPerToken)} characters per token ·{" "}
        <Explained as={PER_WORD}>{ratio(counts.tokensPerWord)} tokens per word</Explained>
      </p>
      {trouble !== null && <ProblemNotice problem={asProblem(trouble)} />}
      {from === "ids" && said !== "" && (
        <p className={styles["said"]} data-testid="read-back">
          <code>{said}</code>
          {isOtherwise(tokens, split.data?.tokens) && (
            <span>
              {" "}
              The tokenizer writes this text otherwise, as{" "}
              {split.data?.tokens.map(({ id }) => id).join(" ")}.
            </span>
          )}
        </p>
      )}
      <TokenChips
        tokens={tokens}
        under={under}
        shown={shown}
        dimmed={source.isPlaceholderData}
        onHover={setHovered}
        onLock={setLocked}
      />
      {shown === null ? (
        <p className={styles["hint"]}>
          Point at a token to see how it was put together; a click holds it, Esc lets go.
        </p>
      ) : (
        <MergeView tokens={tokens} words={words} chosen={shown} />
      )}
    </Panel>
  );
}

/** What tokens say; bytes that are no character appear as �. */
function sayTokens(tokens: readonly Token[]): string {
  return new TextDecoder().decode(bytesOf(tokens.filter(({ id }) => id !== END_OF_TEXT)));
}

function isOtherwise(given: readonly Token[], made: readonly Token[] | undefined): boolean {
  if (made === undefined) return false;
  return given.length !== made.length || given.some((token, at) => token.id !== made[at]?.id);
}

function ratio(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(2);
}
