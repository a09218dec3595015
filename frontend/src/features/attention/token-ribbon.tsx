// The text as the model sees it. A token and its row in the map bring each other out.
import { memo, type KeyboardEvent } from "react";
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { onEscape } from "@/lib/escape";
import { formatLoss } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import { diverging } from "@/charts/heatmap/palette";
import type { Cell } from "@/charts/heatmap/map-geometry";
import styles from "./token-ribbon.module.css";

export const TokenRibbon = memo(function TokenRibbon({
  tokens,
  losses,
  others,
  pending = false,
  cell,
  onHover,
  onPick,
  onRelease,
}: {
  tokens: readonly Token[];
  /** Of each token, in nats: the more surprising, the stronger its colour. */
  losses?: ArrayLike<number> | undefined;
  /** A second model's: then the colour tells by how much they differ. */
  others?: ArrayLike<number> | undefined;
  /** The losses are on their way; those there are, are of another step. */
  pending?: boolean;
  cell: Cell | null;
  onHover: (cell: Cell | null) => void;
  onPick: (cell: Cell) => void;
  onRelease: () => void;
}) {
  const walk = (event: KeyboardEvent) => {
    onEscape(cell !== null, onRelease)(event);
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0 || tokens.length === 0) return;
    event.preventDefault();
    const next = cell === null ? 0 : clamp(cell.query + step, tokens.length);
    if (next !== cell?.query) onPick({ query: next, key: next });
  };
  return (
    <div
      className={[styles["ribbon"], pending && losses && styles["old"]].filter(Boolean).join(" ")}
      tabIndex={0}
      role="group"
      aria-label="Tokens of the text. Left and right hold one, Esc lets go."
      onKeyDown={walk}
      data-testid="token-ribbon"
      data-tokens={tokens.length}
      data-pending={pending}
    >
      {tokens.map((token, index) => (
        <span
          key={index}
          className={[
            styles["token"],
            cell?.query === index && styles["query"],
            cell?.key === index && cell.query !== index && styles["key"],
          ]
            .filter(Boolean)
            .join(" ")}
          title={`position ${index}, token ${token.id}${sayLoss(losses?.[index], others?.[index])}`}
          style={others ? differenceTint(losses?.[index], others[index]) : tint(losses?.[index])}
          onPointerEnter={() => onHover({ query: index, key: index })}
          onPointerLeave={() => onHover(null)}
          onClick={() => onPick({ query: index, key: index })}
        >
          {visibleToken(token.text)}
        </span>
      ))}
    </div>
  );
});

function clamp(index: number, count: number): number {
  return Math.max(0, Math.min(count - 1, index));
}

/** Blindness costs about ln 50,257 = 10.8 nats. */
const STRONGEST_AT_NATS = 11;
const STRONGEST_PERCENT = 60;

function tint(loss: number | undefined) {
  if (loss === undefined || !Number.isFinite(loss)) return undefined;
  const percent = Math.min(1, loss / STRONGEST_AT_NATS) * STRONGEST_PERCENT;
  return { backgroundColor: `color-mix(in srgb, var(--validation) ${percent}%, transparent)` };
}

/** Half of what blindness costs: a token that is learned or lost shows at once. */
const WHOLE_DIFFERENCE_NATS = 5.5;

function differenceTint(loss: number | undefined, other: number | undefined) {
  const difference = (other ?? NaN) - (loss ?? NaN);
  if (!Number.isFinite(difference)) return undefined;
  const percent = Math.min(1, Math.abs(difference) / WHOLE_DIFFERENCE_NATS) * STRONGEST_PERCENT;
  const color = diverging(difference > 0 ? 0.85 : 0.15);
  return { backgroundColor: `color-mix(in srgb, ${color} ${percent}%, transparent)` };
}

function sayLoss(loss: number | undefined, other: number | undefined): string {
  if (loss === undefined || Number.isNaN(loss)) return "";
  const there =
    other === undefined || Number.isNaN(other) ? "" : `, in the other ${formatLoss(other)}`;
  return `, loss ${formatLoss(loss)}${there}`;
}
