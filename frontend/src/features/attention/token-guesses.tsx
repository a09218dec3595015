// One line about a token: its loss, its rank, and what the model held likelier at its place; at two steps when there are.
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { formatCount, formatLoss, formatProbability } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import { Explained } from "@/ui/explained";
import styles from "./token-guesses.module.css";
import type { TokenLosses } from "./use-token-losses";

const DEFINITION =
  "Loss: −ln p(token | tokens before), in nats. Rank: how many tokens were held likelier. Then the likeliest tokens at its place with their probabilities, before temperature. A likely token is not a true one.";

export interface Seen {
  readonly step: number;
  /** The run, where it is another than the page's. */
  readonly whose?: string | undefined;
  readonly answer: TokenLosses;
}

export function TokenGuesses({
  token,
  position,
  seen,
}: {
  token: Token | undefined;
  position: number | null;
  /** Then, and now where that is another model. */
  seen: readonly Seen[];
}) {
  if (position === null || token === undefined) {
    return (
      <p className={styles["line"]}>
        <Explained as={DEFINITION}>colour: loss of the token.</Explained> Point at one to see what
        was expected there.
      </p>
    );
  }
  return (
    <div className={styles["lines"]} data-testid="token-guesses">
      {seen.map(({ step, whose, answer }, index) => (
        <p key={index} className={styles["line"]}>
          <Explained as={DEFINITION}>
            {whose} step {formatCount(step)}
          </Explained>{" "}
          <code>{visibleToken(token.text)}</code>{" "}
          {position === 0 ? (
            "nothing predicts the first token"
          ) : (
            <>
              loss {formatLoss(answer.losses[position])}, rank {formatCount(answer.ranks[position])}
              . Expected:{" "}
              {answer.guesses(position).map((guess) => (
                <span key={guess.id} className={styles["guess"]}>
                  <code>{visibleToken(guess.text)}</code> {formatProbability(guess.probability)}
                </span>
              ))}
            </>
          )}
        </p>
      ))}
    </div>
  );
}
