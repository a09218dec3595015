// The text as the model sees it. A token and its row in the map bring each other out.
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { formatLoss } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import type { Cell } from "@/charts/heatmap/map-geometry";
import styles from "./token-ribbon.module.css";

export function TokenRibbon({
  tokens,
  losses,
  cell,
  onHover,
  onPick,
}: {
  tokens: readonly Token[];
  /** Of each token, in nats: the more surprising, the stronger its colour. */
  losses?: ArrayLike<number> | undefined;
  cell: Cell | null;
  onHover: (cell: Cell | null) => void;
  onPick: (cell: Cell) => void;
}) {
  return (
    <div className={styles["ribbon"]} data-testid="token-ribbon" data-tokens={tokens.length}>
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
          title={`position ${index}, token ${token.id}${sayLoss(losses?.[index])}`}
          style={tint(losses?.[index])}
          onPointerEnter={() => onHover({ query: index, key: index })}
          onPointerLeave={() => onHover(null)}
          onClick={() => onPick({ query: index, key: index })}
        >
          {visibleToken(token.text)}
        </span>
      ))}
    </div>
  );
}

/** Blindness costs about ln 50,257 = 10.8 nats. */
const STRONGEST_AT_NATS = 11;
const STRONGEST_PERCENT = 60;

function tint(loss: number | undefined) {
  if (loss === undefined || !Number.isFinite(loss)) return undefined;
  const percent = Math.min(1, loss / STRONGEST_AT_NATS) * STRONGEST_PERCENT;
  return { backgroundColor: `color-mix(in srgb, var(--validation) ${percent}%, transparent)` };
}

function sayLoss(loss: number | undefined): string {
  return loss === undefined || Number.isNaN(loss) ? "" : `, loss ${formatLoss(loss)}`;
}
