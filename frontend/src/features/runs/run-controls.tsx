// What can be asked of a run. A button is enabled when the server lists its verb; nothing here knows the state machine.
import { useEffect, useState, type ReactNode } from "react";
import { advanceRun, pauseRun, resumeRun, snapshotRun, stopRun } from "@/api/runs";
import { asProblem } from "@/api/problem";
import { RunVerb, type Run } from "@/gen/lab/v1/run_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { TextInput } from "@/ui/text-input";
import styles from "./run-controls.module.css";

const MOST_STEPS = 10_000;
const NOTE_STAYS_MS = 5_000; // then the state says it better

export function RunControls({ run, children }: { run: Run; children?: ReactNode }) {
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const [note, setNote] = useState("");
  useEffect(() => {
    if (note === "") return;
    const timer = setTimeout(() => setNote(""), NOTE_STAYS_MS);
    return () => clearTimeout(timer);
  }, [note]);
  const [steps, setSteps] = useState("1");
  const may = (verb: RunVerb) => run.allowedVerbs.includes(verb) && busy === null;
  const count = Number(steps);
  const countIsRight = Number.isInteger(count) && count >= 1 && count <= MOST_STEPS;

  const ask = async (what: string, call: () => Promise<string>) => {
    setBusy(what);
    setProblem(null);
    try {
      setNote(await call());
    } catch (error) {
      setProblem(asProblem(error));
      setNote("");
    } finally {
      setBusy(null);
    }
  };
  const told = (call: Promise<Run>, note: string) => call.then(() => note);

  return (
    <div className={styles["controls"]}>
      <div className={styles["buttons"]} role="group" aria-label="Control of this run">
        <span className={styles["note"]} role="status" data-testid="run-control-note">
          {busy === null ? note : "asking…"}
        </span>
        <Button
          data-testid="run-pause"
          disabled={!may(RunVerb.PAUSE)}
          busy={busy === "pause"}
          onClick={() => void ask("pause", () => told(pauseRun(run.name), "pausing"))}
        >
          Pause
        </Button>
        <Button
          data-testid="run-resume"
          disabled={!may(RunVerb.RESUME)}
          busy={busy === "resume"}
          onClick={() => void ask("resume", () => told(resumeRun(run.name), "resuming"))}
        >
          Resume
        </Button>
        <span className={styles["step"]}>
          <Button
            data-testid="run-advance"
            disabled={!may(RunVerb.ADVANCE) || !countIsRight}
            busy={busy === "advance"}
            title={`While paused: make 1 to ${formatCount(MOST_STEPS)} steps and pause again`}
            onClick={() =>
              void ask("advance", () =>
                told(advanceRun(run.name, count), `making ${formatCount(count)} steps`),
              )
            }
          >
            Step
          </Button>
          <TextInput
            data-testid="run-advance-steps"
            aria-label="Steps to make"
            aria-invalid={!countIsRight}
            inputMode="numeric"
            value={steps}
            onChange={(event) => setSteps(event.target.value)}
          />
        </span>
        <Button
          data-testid="run-save"
          disabled={!may(RunVerb.SNAPSHOT)}
          busy={busy === "save"}
          title="Write a checkpoint of this moment"
          onClick={() =>
            void ask("save", async () => {
              const saved = await snapshotRun(run.name);
              return `saved step ${formatCount(saved.step)}`;
            })
          }
        >
          Save now
        </Button>
        <Button
          data-testid="run-stop"
          disabled={!may(RunVerb.STOP)}
          busy={busy === "stop"}
          title="End after this step, as the run's own setting says about saving"
          onClick={() => void ask("stop", () => told(stopRun(run.name), "stopping"))}
        >
          Stop
        </Button>
        <Button
          data-testid="run-stop-save"
          disabled={!may(RunVerb.STOP)}
          busy={busy === "stop-save"}
          title="Write a checkpoint, then end; the run can be resumed from it"
          onClick={() =>
            void ask("stop-save", () => told(stopRun(run.name, true), "saving and stopping"))
          }
        >
          Stop and save
        </Button>
        {children}
      </div>
      {problem && <ProblemNotice problem={problem} />}
    </div>
  );
}
