// What is on disk under a checkpoint's name and cannot be used, and what to do about it.
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import type { UnreadableCheckpoint } from "@/gen/lab/v1/checkpoint_service_pb";
import { formatCount } from "@/lib/format";
import { placeOf } from "./checkpoint-name";
import styles from "./damage-list.module.css";

const MOST_SHOWN = 5;

export function DamageList({
  checkpoints,
  unreadable,
}: {
  checkpoints: readonly Checkpoint[];
  unreadable: readonly UnreadableCheckpoint[];
}) {
  const damaged = [
    ...unreadable.map(({ name, why }) => ({ name, why })),
    ...checkpoints
      .filter(({ damage }) => damage.length > 0)
      .map(({ name, damage }) => ({ name, why: damage.join("; ") })),
  ];
  if (damaged.length === 0) return null;
  return (
    <div className={styles["box"]} role="alert" data-testid="damage">
      <strong>
        {formatCount(damaged.length)} damaged {damaged.length === 1 ? "checkpoint" : "checkpoints"}.
      </strong>{" "}
      A run that resumes goes on from the newest whole one. Delete what is damaged, or put its files
      back and verify again.
      <ul>
        {damaged.slice(0, MOST_SHOWN).map(({ name, why }) => (
          <li key={name}>
            {placeOf(name).run}, {placeOf(name).checkpoint}: {why}
          </li>
        ))}
        {damaged.length > MOST_SHOWN && (
          <li>and {formatCount(damaged.length - MOST_SHOWN)} more</li>
        )}
      </ul>
    </div>
  );
}
