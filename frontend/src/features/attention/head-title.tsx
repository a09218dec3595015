// Which head is shown, and how much of its attention lies on three places that many heads are known for.
import { Tooltip } from "@/ui/tooltip";
import { headHabits, type WeightMatrix } from "./attention-maps";
import styles from "./attention-explorer.module.css";
import type { HeadChoice } from "./use-attention";

export function HeadTitle({
  layer,
  head,
  matrix,
  pending,
}: {
  layer: number;
  head: HeadChoice;
  matrix: WeightMatrix | undefined;
  /** The matrix is still another head's. */
  pending: boolean;
}) {
  const habits = matrix && headHabits(matrix);
  return (
    <>
      {head === "mean" ? `layer ${layer}, mean over heads` : `head ${layer}.${head}`}
      {habits && (
        <Tooltip text="Mean attention weight on the token before, on the first token, and on the token itself, over the third and later tokens of this text.">
          <button
            type="button"
            className={pending ? styles["pendingHabits"] : styles["habits"]}
            data-testid="head-habits"
          >
            previous {habits.previous.toFixed(2)} · first {habits.first.toFixed(2)} · itself{" "}
            {habits.itself.toFixed(2)}
          </button>
        </Tooltip>
      )}
    </>
  );
}
