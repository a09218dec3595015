// Tokens side by side, coloured in turn. Hover previews one, a click holds it; left and right walk, Esc lets go.
import type { KeyboardEvent } from "react";
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { onEscape } from "@/lib/escape";
import { formatCount } from "@/lib/format";
import { tokenBytes, visibleToken } from "@/lib/token-text";
import { splitCharacters } from "./characters";
import { END_OF_TEXT, hex } from "./merge-steps";
import styles from "./token-chips.module.css";

export type UnderToken = "ids" | "bytes" | "nothing";

const COLOURS = 5;
/** More than anybody reads; the counts are of all. */
const MOST_SHOWN = 2_000;

export function TokenChips({
  tokens,
  under,
  shown,
  dimmed,
  onHover,
  onLock,
}: {
  tokens: readonly Token[];
  under: UnderToken;
  /** The token that is brought out. */
  shown: number | null;
  dimmed: boolean;
  onHover: (index: number | null) => void;
  onLock: (index: number | null) => void;
}) {
  const listed = tokens.slice(0, MOST_SHOWN);
  const shared = splitCharacters(listed);
  const walk = (event: KeyboardEvent) => {
    onEscape(shown !== null, () => onLock(null))(event);
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0 || listed.length === 0) return;
    event.preventDefault();
    const next = shown === null ? 0 : shown + step;
    onLock(Math.max(0, Math.min(listed.length - 1, next)));
  };
  return (
    <div
      className={dimmed ? styles["dimmed"] : styles["tokens"]}
      tabIndex={0}
      role="group"
      aria-label="Tokens. Left and right choose one."
      data-testid="playground-tokens"
      data-tokens={tokens.length}
      onKeyDown={walk}
      onPointerLeave={() => onHover(null)}
    >
      {listed.map((token, index) => {
        const bytes = tokenBytes(token.text);
        const character = shared[index] ?? "";
        const whole = character === "" || !token.text.includes("\\x");
        return (
          <span
            key={index}
            className={[styles["token"], index === shown && styles["chosen"]]
              .filter(Boolean)
              .join(" ")}
            data-colour={index % COLOURS}
            data-special={token.id === END_OF_TEXT || undefined}
            title={`token ${token.id}, bytes ${hex(bytes)}${character && `, part of ${character}`}`}
            onPointerEnter={() => onHover(index)}
            onClick={() => onLock(index === shown ? null : index)}
          >
            <span className={whole ? styles["text"] : styles["part"]}>
              {whole ? visibleToken(token.text) : `${character} ${hex(bytes)}`}
            </span>
            {under !== "nothing" && (
              <span className={styles["under"]}>{under === "ids" ? token.id : hex(bytes)}</span>
            )}
          </span>
        );
      })}
      {tokens.length > MOST_SHOWN && (
        <span className={styles["more"]}>
          and {formatCount(tokens.length - MOST_SHOWN)} more, counted but not drawn
        </span>
      )}
    </div>
  );
}
