// What can be changed while a run trains: the learning rate's scale, the sample prompts and how often they are continued.
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { updateRun, type RunChange } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { Panel } from "@/ui/panel";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { TextArea } from "@/ui/text-area";
import { TextInput } from "@/ui/text-input";
import { DEFINITIONS } from "./lesson";
import styles from "./live-settings.module.css";

interface Typed {
  scale?: string;
  every?: string;
  prompts?: string;
}

export function LiveSettings({ run }: { run: Run }) {
  const [typed, setTyped] = useState<Typed>({});
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const hooks = run.spec?.hooks;
  const { live } = run;
  const scale = typed.scale ?? String(live?.learningRateScale ?? 1);
  const every = typed.every ?? String(live?.sampleEvery ?? hooks?.sampleEvery ?? 0);
  const prompts =
    typed.prompts ?? (live?.samplePrompts?.prompts ?? hooks?.samplePrompts ?? []).join("\n");
  const change = changeOf(typed);
  const apply = async () => {
    if (typeof change === "string") return;
    setBusy(true);
    setProblem(null);
    try {
      await updateRun(run.name, { live: change });
      setTyped({});
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  const nothing = Object.keys(typed).length === 0;
  return (
    <Panel title="Change while it trains" definition={DEFINITIONS.live}>
      <form
        className={styles["form"]}
        onSubmit={(event) => {
          event.preventDefault();
          void apply();
        }}
      >
        <div className={styles["two"]}>
          <Field label="Learning rate ×" hint="1 is the schedule as it stands">
            {(control) => (
              <TextInput
                {...control}
                inputMode="decimal"
                data-testid="live-rate-scale"
                value={scale}
                onChange={(event) => setTyped({ ...typed, scale: event.target.value })}
              />
            )}
          </Field>
          <Field label="Sample every" hint="steps; 0 turns samples off">
            {(control) => (
              <TextInput
                {...control}
                inputMode="numeric"
                data-testid="live-sample-every"
                value={every}
                onChange={(event) => setTyped({ ...typed, every: event.target.value })}
              />
            )}
          </Field>
        </div>
        <Field label="Sample prompts" hint="one a line">
          {(control) => (
            <TextArea
              {...control}
              rows={2}
              data-testid="live-prompts"
              value={prompts}
              onChange={(event) => setTyped({ ...typed, prompts: event.target.value })}
            />
          )}
        </Field>
        <div className={styles["buttons"]}>
          <Button
            type="submit"
            busy={busy}
            disabled={nothing || typeof change === "string"}
            data-testid="live-apply"
          >
            Apply from the next step
          </Button>
          {!nothing && (
            <Button kind="quiet" onClick={() => setTyped({})}>
              Give up
            </Button>
          )}
          <span role="status">{typeof change === "string" ? change : ""}</span>
        </div>
        {problem && <ProblemNotice problem={problem} />}
      </form>
    </Panel>
  );
}

/** What is to be changed, or why it cannot be sent. The limits are the server's business. */
function changeOf({ scale, every, prompts }: Typed): NonNullable<RunChange["live"]> | string {
  const change: NonNullable<RunChange["live"]> = {};
  if (scale !== undefined) {
    change.learningRateScale = Number(scale);
    if (scale.trim() === "" || !Number.isFinite(change.learningRateScale)) {
      return "The scale must be a number, as in 0.5.";
    }
  }
  if (every !== undefined) {
    if (!/^\d{1,9}$/.test(every.trim())) return "The interval must be a whole number of steps.";
    change.sampleEvery = Number(every);
  }
  if (prompts !== undefined) {
    const lines = prompts.split("\n").filter((line) => line.trim() !== "");
    change.samplePrompts = { prompts: lines };
  }
  return change;
}
