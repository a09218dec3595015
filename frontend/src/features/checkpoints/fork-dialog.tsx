// Starts a new run from a checkpoint, with what is changed. The browser's own modal dialog, as ConfirmDialog's.
import { useMutation } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { forkRun } from "@/api/checkpoints";
import { asProblem } from "@/api/problem";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { ProblemNotice } from "@/ui/problem-notice";
import { TextInput } from "@/ui/text-input";
import { placeOf } from "./checkpoint-name";
import styles from "./fork-dialog.module.css";
import { FORK_FIELDS, FORK_TEXTS, forkErrors, forkRequest, type Typed } from "./fork-settings";

export function ForkDialog({
  checkpoint,
  onClose,
  onForked,
}: {
  checkpoint: Checkpoint;
  onClose: () => void;
  /** Told the name of the new run, "runs/{run}". */
  onForked: (run: string) => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const [typed, setTyped] = useState<Typed>({});
  useEffect(() => dialog.current?.showModal(), []);
  const fork = useMutation({ mutationFn: forkRun, onSuccess: (run) => onForked(run.name) });
  const asked = forkRequest(checkpoint.name, typed);
  const wrong = "error" in asked ? asked : undefined;
  const refused = forkErrors(fork.error === null ? undefined : asProblem(fork.error));
  const type = (field: keyof Typed, text: string) => {
    setTyped({ ...typed, [field]: text });
    fork.reset(); // what was said of another text
  };
  const changed = FORK_FIELDS.filter((field) => typed[field] !== undefined);
  return (
    <dialog
      ref={dialog}
      className={styles["dialog"]}
      aria-labelledby={titleId}
      onClose={onClose}
      data-testid="fork-dialog"
    >
      <h2 id={titleId}>
        Fork {placeOf(checkpoint.name).run} at step {formatCount(checkpoint.step)}
      </h2>
      <p className={styles["text"]}>
        A new run that starts as this one was then. Left as it is, it repeats its parent bit for
        bit.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!("error" in asked)) fork.mutate(asked);
        }}
      >
        <Field label="Name" hint="what people call it" error={refused.at.name}>
          {(control) => (
            <TextInput
              {...control}
              maxLength={80}
              data-testid="fork-name"
              value={typed.name ?? ""}
              onChange={(event) => type("name", event.target.value)}
            />
          )}
        </Field>
        <div className={styles["two"]}>
          {FORK_FIELDS.map((field) => (
            <Field
              key={field}
              label={FORK_TEXTS[field].label}
              hint={FORK_TEXTS[field].hint(checkpoint.step)}
              error={wrong?.field === field ? wrong.error : refused.at[field]}
            >
              {(control) => (
                <TextInput
                  {...control}
                  inputMode="decimal"
                  data-testid={`fork-${field}`}
                  value={typed[field] ?? FORK_TEXTS[field].now(checkpoint.spec)}
                  onChange={(event) => type(field, event.target.value)}
                />
              )}
            </Field>
          ))}
        </div>
        <p role="status" className={styles["text"]}>
          {changed.length === 0
            ? "Nothing is changed."
            : `Changed: ${changed.map((field) => FORK_TEXTS[field].label.toLowerCase()).join(", ")}.`}
        </p>
        {refused.elsewhere && <ProblemNotice problem={refused.elsewhere} />}
        <div className={styles["actions"]}>
          <Button onClick={() => dialog.current?.close()}>Cancel</Button>
          <Button
            type="submit"
            kind="primary"
            busy={fork.isPending}
            disabled={wrong !== undefined}
            data-testid="fork-start"
          >
            Start the fork
          </Button>
        </div>
      </form>
    </dialog>
  );
}
