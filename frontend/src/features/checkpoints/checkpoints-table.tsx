// All checkpoints in a table, newest first.
import { useEffect, useState } from "react";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { CheckpointRow } from "./checkpoint-row";
import styles from "./checkpoints-table.module.css";

const AGES_CHANGE_MS = 5_000;

export function CheckpointsTable({
  checkpoints,
  onDeleted,
}: {
  checkpoints: readonly Checkpoint[];
  onDeleted: (checkpoint: Checkpoint) => void;
}) {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), AGES_CHANGE_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className={styles["scroll"]} tabIndex={0} role="region" aria-label="Checkpoints">
      <table className={styles["table"]} data-testid="checkpoints-table">
        <thead>
          <tr>
            <th>Run</th>
            <th>Kind</th>
            <th className={styles["number"]}>Step</th>
            <th className={styles["number"]}>Loss</th>
            <th className={styles["number"]}>Validation</th>
            <th className={styles["number"]}>Size</th>
            <th className={styles["number"]}>Age</th>
            <th>
              <span className="visually-hidden">Verdict</span>
            </th>
            <th>
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {checkpoints.map((checkpoint) => (
            <CheckpointRow
              key={checkpoint.name}
              checkpoint={checkpoint}
              nowMs={nowMs}
              onDeleted={onDeleted}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}
