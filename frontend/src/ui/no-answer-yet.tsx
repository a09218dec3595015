// What a panel says in the place of an answer about a model: why there is none.
import { EmptyState } from "./empty-state";

export function NoAnswerYet({
  hasModel,
  hasText = true,
  inView,
}: {
  hasModel: boolean;
  /** There is a text, and the model can read all of it. */
  hasText?: boolean;
  /** Out of sight nothing is asked. */
  inView: boolean;
}) {
  if (!hasModel) {
    return (
      <EmptyState title="Needs weights">
        Go to a saved checkpoint, or to the live end of a run in training.
      </EmptyState>
    );
  }
  if (!hasText) return <EmptyState title="Needs a text that the model can read" />;
  return <EmptyState title={inView ? "computing…" : "computed when in sight"} />;
}
