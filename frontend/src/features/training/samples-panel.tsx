// What the model writes while it learns, newest first.
import { useChannel } from "@/live/use-channel";
import { formatCount } from "@/lib/format";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { eventList } from "./event-lists";
import styles from "./samples-panel.module.css";

export function SamplesPanel({ run, every }: { run: string; every: number }) {
  const { state: events, problem } = useChannel(`${run}/samples`, eventList);
  const samples = (events ?? [])
    .flatMap(({ fact, sequence }) =>
      fact.case === "textSampled" ? [{ ...fact.value, key: String(sequence) }] : [],
    )
    .reverse();
  return (
    <Panel
      title="Samples"
      flush
      controls={every > 0 ? `every ${formatCount(every)} steps` : "turned off"}
      className={styles["panel"] ?? ""}
    >
      {problem && <ProblemNotice problem={problem} />}
      {samples.length === 0 ? (
        <EmptyState title="No sample yet">
          {every > 0
            ? `The first text comes at step ${formatCount(every)}.`
            : "Sampling is turned off for this run. Open Inside to generate text from it."}
        </EmptyState>
      ) : (
        <ol
          className={styles["list"]}
          data-testid="samples"
          data-count={samples.length}
          tabIndex={0}
          aria-label="Samples, newest first"
        >
          {samples.map((sample) => (
            <li key={sample.key} data-testid="sample">
              <span className={styles["step"]}>step {formatCount(sample.step)}</span>
              <p className={styles["text"]}>
                <span className={styles["prompt"]}>{sample.prompt}</span>
                {sample.text}
              </p>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
