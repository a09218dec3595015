// The text so far. Every token can be pointed at and, by a click, held; left and right walk through them.
import type { KeyboardEvent } from "react";
import type { GenerateResponse } from "@/gen/lab/v1/inference_service_pb";
import { onEscape } from "@/lib/escape";
import styles from "./written-text.module.css";

export function WrittenText({
  prompt,
  tokens,
  writing,
  dimmed = false,
  selected,
  differsAt = null,
  label = "Generated text",
  onHover,
  onSelect,
  "data-testid": testId = "generated-text",
}: {
  prompt: string;
  tokens: readonly GenerateResponse[];
  writing: boolean;
  /** Another text is on its way. */
  dimmed?: boolean;
  selected: number | null;
  /** The first token that another text does not have at this place. */
  differsAt?: number | null;
  label?: string;
  onHover?: (index: number | null) => void;
  onSelect: (index: number | null) => void;
  "data-testid"?: string;
}) {
  const walk = (event: KeyboardEvent) => {
    onEscape(selected !== null, () => onSelect(null))(event);
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0 || tokens.length === 0) return;
    event.preventDefault();
    const next = selected === null ? 0 : selected + step;
    onSelect(Math.max(0, Math.min(tokens.length - 1, next)));
  };
  return (
    <div
      className={[styles["text"], dimmed && styles["dimmed"]].filter(Boolean).join(" ")}
      tabIndex={0}
      role="group"
      aria-label={`${label}. Left and right choose a token.`}
      onKeyDown={walk}
      onPointerLeave={() => onHover?.(null)}
    >
      <span className={styles["prompt"]}>{prompt}</span>
      <span data-testid={testId} data-tokens={tokens.length} data-differs={differsAt ?? undefined}>
        {tokens.map((token, place) => (
          <span
            key={token.index}
            className={[
              place === selected ? styles["selected"] : styles["token"],
              place === differsAt && styles["differs"],
            ]
              .filter(Boolean)
              .join(" ")}
            title={place === differsAt ? "the first token that is not the same" : undefined}
            onPointerEnter={() => onHover?.(place)}
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
