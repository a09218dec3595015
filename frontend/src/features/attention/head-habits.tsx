// How much of a head's attention lies on three places that many heads are known for.
import { Tooltip } from "@/ui/tooltip";
import styles from "./attention-explorer.module.css";
import { headHabits, type WeightMatrix } from "./attention-maps";

const MEANING =
  "Mean attention weight on the token before, on the first token, and on the token itself, over the third and later " +
  "tokens of this text.";

export function HeadHabits({
  matrix,
  pending,
}: {
  matrix: WeightMatrix | undefined;
  /** The matrix is still another head's. */
  pending: boolean;
}) {
  const habits = matrix && headHabits(matrix);
  if (!habits) return <span />;
  return (
    <Tooltip text={MEANING}>
      <button
        type="button"
        className={pending ? styles["pendingHabits"] : styles["habits"]}
        data-testid="head-habits"
      >
        previous {habits.previous.toFixed(2)} · first {habits.first.toFixed(2)} · itself{" "}
        {habits.itself.toFixed(2)}
      </button>
    </Tooltip>
  );
}
