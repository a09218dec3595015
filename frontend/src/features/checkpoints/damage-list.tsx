// What is on disk under a checkpoint's name and cannot be used, and what to do about it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { CHECKPOINTS, deleteCheckpoint } from "@/api/checkpoints";
import { asProblem } from "@/api/problem";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import type { UnreadableCheckpoint } from "@/gen/lab/v1/checkpoint_service_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { ProblemNotice } from "@/ui/problem-notice";
import { placeOf } from "./checkpoint-name";
import styles from "./damage-list.module.css";

const MOST_SHOWN = 3;

export function DamageList({
  checkpoints,
  unreadable,
}: {
  checkpoints: readonly Checkpoint[];
  unreadable: readonly UnreadableCheckpoint[];
}) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: deleteCheckpoint,
    onSettled: () => queries.invalidateQueries({ queryKey: CHECKPOINTS }),
  });
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
            {placeOf(name).run}, {placeOf(name).checkpoint}: {why}{" "}
            <Button
              kind="quiet"
              busy={remove.isPending}
              onClick={() => remove.mutate(name)}
              aria-label={`Delete ${name}`}
              data-testid="damage-delete"
            >
              Delete
            </Button>
          </li>
        ))}
        {damaged.length > MOST_SHOWN && (
          <li>and {formatCount(damaged.length - MOST_SHOWN)} more</li>
        )}
      </ul>
      {remove.error !== null && <ProblemNotice problem={asProblem(remove.error)} />}
    </div>
  );
}
