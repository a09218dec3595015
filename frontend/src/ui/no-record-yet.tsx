// What a panel says in the place of a run's probe records: that they are on their way, or why there are none.
import { EmptyState } from "./empty-state";
import styles from "./no-record-yet.module.css";

export function NoRecordYet({
  loading,
  every,
}: {
  /** Nothing is known yet. */
  loading: boolean;
  /** Steps between two records; 0 when none are made. */
  every: number;
}) {
  if (loading) {
    return (
      <div className={styles["loading"]}>
        <EmptyState title="Fetching what the run recorded" />
      </div>
    );
  }
  return (
    <EmptyState title={every > 0 ? "No probe record yet" : "Not recorded"}>
      {every > 0
        ? "The first one comes before step 1, then at steps 1, 2, 4, 8 and on."
        : "hooks.probe_every is 0 in this run."}
    </EmptyState>
  );
}
