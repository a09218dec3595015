// When a running run writes checkpoints, to be changed while it trains.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { updateRun } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { TextInput } from "@/ui/text-input";
import { changeBetween, policyInWords, policyOf, type Policy } from "./saving-change";
import styles from "./saving-policy.module.css";

const SWITCHES = [
  { key: "logSpaced", label: "After 1, 2, 4, 8 … steps" },
  { key: "best", label: "At each new best validation loss" },
  { key: "onStop", label: "When it ends or is stopped" },
  { key: "weightsOnly", label: "Weights only: a third of the room" },
] as const;

const DEFINITION =
  "When this run writes its state to disk. Changes hold from the next step on. Each save takes three times the room of the weights. With weights only it takes a third of that: such a checkpoint can be analysed, generated from and exported, but the run cannot be resumed from it, nor after an interruption, and it cannot be forked.";

export function SavingPolicy({ run }: { run: Run }) {
  const [typed, setTyped] = useState<Partial<Policy>>({});
  const now = policyOf(run);
  const wanted: Policy = { ...now, ...typed };
  const change = changeBetween(now, wanted);
  const nothing = typeof change !== "string" && Object.keys(change).length === 0;
  const apply = useMutation({
    mutationFn: async () => {
      if (typeof change !== "string") await updateRun(run.name, { live: change });
    },
    onSuccess: () => setTyped({}),
  });
  return (
    <Panel title="Saving" definition={DEFINITION} data-testid="saving-policy">
      <form
        className={styles["form"]}
        onSubmit={(event) => {
          event.preventDefault();
          apply.mutate();
        }}
      >
        <div className={styles["two"]}>
          <Field label="Every" hint="steps; 0 is off">
            {(control) => (
              <TextInput
                {...control}
                inputMode="numeric"
                data-testid="saving-every"
                value={wanted.every}
                onChange={(event) => setTyped({ ...typed, every: event.target.value })}
              />
            )}
          </Field>
          <Field label="Or every" hint="minutes; 0 is off">
            {(control) => (
              <TextInput
                {...control}
                inputMode="decimal"
                data-testid="saving-minutes"
                value={wanted.minutes}
                onChange={(event) => setTyped({ ...typed, minutes: event.target.value })}
              />
            )}
          </Field>
        </div>
        {SWITCHES.map(({ key, label }) => (
          <label key={key} className={styles["switch"]}>
            <input
              type="checkbox"
              checked={wanted[key]}
              data-testid={`saving-${key}`}
              onChange={(event) => setTyped({ ...typed, [key]: event.target.checked })}
            />
            {label}
          </label>
        ))}
        {wanted.weightsOnly && (
          <p className={styles["warning"]} data-testid="saving-warning">
            Nothing saved this way can be resumed or forked: if the run is interrupted, it goes on
            from its newest full checkpoint, or not at all.
          </p>
        )}
        <div className={styles["buttons"]}>
          <Button
            type="submit"
            busy={apply.isPending}
            disabled={nothing || typeof change === "string"}
            data-testid="saving-apply"
          >
            Apply from the next step
          </Button>
          {!nothing && (
            <Button kind="quiet" onClick={() => setTyped({})}>
              Give up
            </Button>
          )}
          <span role="status" data-testid="saving-words">
            {typeof change === "string" ? change : policyInWords(now)}
          </span>
        </div>
        {apply.error !== null && <ProblemNotice problem={asProblem(apply.error)} />}
      </form>
    </Panel>
  );
}
