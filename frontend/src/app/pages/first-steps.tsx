// A guide beside the first run: what to look at, each ticked off once it is there.
import type { ReactNode } from "react";
import { Link, useSearchParams } from "react-router";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import { runId } from "@/features/runs/state-name";
import { eventList } from "@/features/training/event-lists";
import type { StepSeries } from "@/features/training/step-series";
import { useSeriesVersion } from "@/features/training/use-series-version";
import { formatLoss } from "@/lib/format";
import { useChannel } from "@/live/use-channel";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import styles from "./first-steps.module.css";

const FALLEN_BY_NATS = 1;

export function FirstSteps({ run, series }: { run: Run; series: StepSeries }) {
  useSeriesVersion(series);
  const [, setAddress] = useSearchParams();
  const { state: samples } = useChannel(`${run.name}/samples`, eventList);
  const loss = series.column("loss");
  const fallen = loss.length > 0 && (loss.y[0] ?? 0) - (loss.last ?? 0) > FALLEN_BY_NATS;
  const later = (samples ?? []).some(
    ({ fact }) => fact.case === "textSampled" && fact.value.step > 0,
  );
  const steps: [done: boolean, text: ReactNode][] = [
    [run.state !== RunState.PENDING, "The worker starts: it loads the text and builds the model."],
    [
      loss.length > 0,
      <>
        The first loss is about ln 50,257 = 10.82, a blind guess among all tokens
        {loss.length > 0 && `; here ${formatLoss(loss.y[0])}`}.
      </>,
    ],
    [fallen, "The curve falls: first it learns which tokens are common, then which follow which."],
    [later, "Beside the curve it writes. Compare its texts with those of step 0: the words come."],
    [
      false,
      <>
        <Link to={`/inside?run=${encodeURIComponent(runId(run.name))}`}>Look inside</Link> while it
        trains: type a text and see where its heads look. Nothing is saved by looking.
      </>,
    ],
  ];
  return (
    <Panel
      title="Your first run"
      data-testid="first-steps"
      controls={
        <Button
          kind="quiet"
          onClick={() =>
            setAddress((before) => {
              before.delete("first");
              return before;
            })
          }
        >
          Close
        </Button>
      }
    >
      <ol className={styles["steps"]}>
        {steps.map(([done, text], index) => (
          <li key={index} data-done={done}>
            <span aria-hidden="true">{done ? "✓" : index + 1}</span>
            <p>
              {done && <span className="visually-hidden">done: </span>}
              {text}
            </p>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
