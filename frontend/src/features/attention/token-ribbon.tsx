// The text as the model sees it. A token and its row in the map bring each other out.
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { visibleToken } from "@/lib/token-text";
import type { Cell } from "@/charts/heatmap/map-geometry";
import styles from "./token-ribbon.module.css";

export function TokenRibbon({
  tokens,
  cell,
  onHover,
  onPick,
}: {
  tokens: readonly Token[];
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
          title={`position ${index}, token ${token.id}`}
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
