// How the word around a token was put together: its bytes, then the pieces after each merge.
import type { TokenizedWord } from "@/gen/lab/v1/inference_service_pb";
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { formatCount } from "@/lib/format";
import { tokenBytes } from "@/lib/token-text";
import { Explained } from "@/ui/explained";
import styles from "./merge-view.module.css";
import {
  BYTE_TOKENS,
  bytesOf,
  END_OF_TEXT,
  hex,
  mergeSteps,
  pieceText,
  wordOf,
} from "./merge-steps";

const DEFINITION =
  "Byte-pair encoding: a text is first cut into words, then each word into its bytes. Of all neighbours that together are a token, those whose token was learned earliest are joined, again and again, until no two neighbours are a token. GPT-2 learned 50,000 such pairs, the most frequent first, so a low number means a frequent piece. It says what is frequent in the text it was learned from, not what is a morpheme.";
/** Longer words repeat themselves. */
const MOST_STEPS = 40;

export function MergeView({
  tokens,
  words,
  chosen,
}: {
  tokens: readonly Token[];
  words: readonly TokenizedWord[];
  chosen: number;
}) {
  const token = tokens[chosen];
  if (token === undefined) return null;
  const place = wordOf(words, chosen);
  return (
    <div className={styles["view"]} data-testid="merge-view">
      <p className={styles["about"]}>
        <code>{pieceText(bytesOf([token]))}</code> is token <strong>{token.id}</strong>, bytes{" "}
        <code>{hex(tokenBytes(token.text))}</code>.{" "}
        <Explained as={DEFINITION}>{sayRank(token.id)}</Explained>
      </p>
      {place && (
        <WordMerges
          word={place.word}
          bytes={bytesOf(tokens.slice(place.firstToken, place.firstToken + place.word.tokenCount))}
        />
      )}
    </div>
  );
}

function WordMerges({ word, bytes }: { word: TokenizedWord; bytes: Uint8Array }) {
  const steps = mergeSteps(word);
  const shown = steps.slice(0, MOST_STEPS);
  const text = ({ start, end }: { start: number; end: number }) =>
    pieceText(bytes.subarray(start, end));
  return (
    <ol className={styles["steps"]} aria-label="Merges of the word, in order" data-testid="merges">
      {shown.map(({ pieces, made, tokenId }, step) => (
        <li key={step}>
          <span className={styles["rank"]}>
            {tokenId === null ? "bytes" : formatCount(tokenId - BYTE_TOKENS + 1)}
          </span>
          <span className={styles["pieces"]}>
            {pieces.map((piece) => (
              <code
                key={piece.start}
                className={made?.start === piece.start ? styles["made"] : styles["piece"]}
                title={made?.start === piece.start ? `token ${tokenId ?? ""}` : undefined}
              >
                {text(piece)}
              </code>
            ))}
          </span>
        </li>
      ))}
      {steps.length > MOST_STEPS && (
        <li className={styles["rank"]}>and {formatCount(steps.length - MOST_STEPS)} more</li>
      )}
    </ol>
  );
}

function sayRank(id: number): string {
  if (id === END_OF_TEXT) return "Special: it stands between texts, and no text contains it.";
  if (id < BYTE_TOKENS) return "A single byte, known from the start.";
  return `Learned as pair ${formatCount(id - BYTE_TOKENS + 1)} of 50,000.`;
}
