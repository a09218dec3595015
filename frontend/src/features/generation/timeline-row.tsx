// What the weights of one step wrote.
import { formatCount, formatShare } from "@/lib/format";
import { Button } from "@/ui/button";
import { meanLogProbability, repeatedShare } from "./compare-texts";
import styles from "./timeline-panel.module.css";
import type { WrittenStep } from "./timeline-run";
import type { TokenPlace } from "./token-place";

export function TimelineRow({
  row,
  index,
  differsAt,
  isHere,
  chosen,
  onPlace,
  onHover,
  onLock,
}: {
  row: WrittenStep;
  index: number;
  /** Where it parts from the row above. */
  differsAt: number | null;
  /** Whether the playhead stands at its step. */
  isHere: boolean;
  chosen: number | null;
  onPlace: (step: number) => void;
  onHover: (place: TokenPlace | null) => void;
  onLock: (place: TokenPlace) => void;
}) {
  const { tokens } = row.state;
  const sure = meanLogProbability(tokens);
  const same = index === 0 ? 0 : (differsAt ?? tokens.length);
  return (
    <div
      className={styles["row"]}
      data-testid="timeline-row"
      data-step={row.step}
      data-phase={row.phase}
      data-tokens={tokens.length}
      data-differs={differsAt ?? undefined}
    >
      <Button
        kind="quiet"
        aria-current={isHere || undefined}
        title="Place the playhead here"
        className={styles["step"] ?? ""}
        onClick={() => onPlace(row.step)}
      >
        {formatCount(row.step)}
      </Button>
      <span className={styles["words"]}>
        {tokens.map((token, place) => (
          <span
            key={token.index}
            className={[
              styles[place < same ? "same" : "token"],
              place === differsAt && styles["differs"],
              place === chosen && styles["chosen"],
            ]
              .filter(Boolean)
              .join(" ")}
            onPointerEnter={() => onHover({ row: index, token: place })}
            onClick={() => onLock({ row: index, token: place })}
          >
            {token.text.replaceAll("\n", "↵")}
          </span>
        ))}
        {tokens.length === 0 && <span className={styles["same"]}>{sayPhase(row)}</span>}
      </span>
      <span className={styles["number"]}>{sure === undefined ? "–" : sure.toFixed(2)}</span>
      <span className={styles["number"]}>{formatShare(repeatedShare(tokens))}</span>
    </div>
  );
}

function sayPhase({ phase, problem }: WrittenStep): string {
  switch (phase) {
    case "waiting":
      return "waits its turn";
    case "loading":
      return "its weights are on their way…";
    case "writing":
      return "…";
    case "done":
      return "(ended without a word)";
    case "cancelled":
      return "cancelled before its turn";
    case "failed":
      return problem?.title ?? "failed";
  }
}
