// The text so far. Every token can be pointed at; left and right walk through them.
import type { KeyboardEvent } from "react";
import type { GenerateResponse } from "@/gen/lab/v1/inference_service_pb";
import styles from "./written-text.module.css";

export function WrittenText({
  prompt,
  tokens,
  writing,
  selected,
  onSelect,
}: {
  prompt: string;
  tokens: readonly GenerateResponse[];
  writing: boolean;
  selected: number | null;
  onSelect: (index: number | null) => void;
}) {
  const walk = (event: KeyboardEvent) => {
    if (event.key === "Escape") onSelect(null);
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0 || tokens.length === 0) return;
    event.preventDefault();
    const next = selected === null ? 0 : selected + step;
    onSelect(Math.max(0, Math.min(tokens.length - 1, next)));
  };
  return (
    <div
      className={styles["text"]}
      tabIndex={0}
      role="group"
      aria-label="Generated text. Left and right choose a token."
      onKeyDown={walk}
    >
      <span className={styles["prompt"]}>{prompt}</span>
      <span data-testid="generated-text" data-tokens={tokens.length}>
        {tokens.map((token, place) => (
          <span
            key={token.index}
            className={place === selected ? styles["selected"] : styles["token"]}
            onClick={() => onSelect(place === selected ? null : place)}
            data-token={token.index}
            data-newline={token.text.startsWith("\n") || undefined}
          >
            {token.text}
          </span>
        ))}
      </span>
      {writing && <span className={styles["caret"]} aria-hidden="true" />}
    </div>
  );
}
