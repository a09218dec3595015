// What the model writes while it learns: one prompt at a time, newest first, each text read against the one before it.
import { useState } from "react";
import type { Event, TextSampled } from "@/gen/lab/v1/event_pb";
import { useChannel } from "@/live/use-channel";
import { formatCount } from "@/lib/format";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import { departure } from "./departure";
import { eventList } from "./event-lists";
import { DEFINITIONS } from "./lesson";
import styles from "./samples-panel.module.css";
import { withoutHoles } from "./without-holes";

const ALL = "";

export function SamplesPanel({
  run,
  every,
  at = null,
}: {
  run: string;
  every: number;
  /** Where the playhead stands: what was written later is left out. */
  at?: number | null;
}) {
  const { state: events, problem } = useChannel(`${run}/samples`, eventList);
  const [chosen, setChosen] = useState(ALL);
  const samples = samplesOf(events ?? []);
  const prompts = [...new Set(samples.map(({ prompt }) => prompt))];
  const prompt = prompts.includes(chosen) ? chosen : ALL; // the prompts may have been changed
  const shown = samples
    .filter((sample) => prompt === ALL || sample.prompt === prompt)
    .filter((sample) => at === null || sample.step <= at)
    .reverse();
  return (
    <Panel
      title="Samples"
      definition={DEFINITIONS.samples}
      flush
      controls={
        <>
          {prompts.length > 1 && (
            <Select
              aria-label="Prompt"
              data-testid="sample-prompt"
              value={prompt}
              options={[
                { value: ALL, label: "all prompts" },
                ...prompts.map((one) => ({ value: one, label: one.slice(0, 40) })),
              ]}
              onChange={(event) => setChosen(event.target.value)}
            />
          )}
          {at !== null && `up to step ${formatCount(at)}, `}
          {every > 0 ? `every ${formatCount(every)} steps` : "turned off"}
        </>
      }
      className={styles["panel"] ?? ""}
    >
      {problem && <ProblemNotice problem={problem} />}
      {samples.length === 0 ? (
        <EmptyState title="No sample yet">
          {every > 0
            ? `The first text comes before step 1, then every ${formatCount(every)} steps.`
            : "Sampling is turned off for this run. Open Inside to generate text from it."}
        </EmptyState>
      ) : (
        <ol
          className={styles["list"]}
          data-testid="samples"
          data-count={samples.length}
          data-newest={shown[0]?.step ?? ""}
          tabIndex={0}
          aria-label="Samples, newest first"
        >
          {shown.map((sample) => {
            const parts = departure(sample.text, sample.before);
            const [same, other] = [withoutHoles(parts.same), withoutHoles(parts.other)];
            return (
              <li key={sample.key} data-testid="sample">
                <span className={styles["step"]}>step {formatCount(sample.step)}</span>
                <p className={styles["text"]}>
                  <span className={styles["prompt"]}>{sample.prompt}</span>
                  <span className={styles["same"]}>{same}</span>
                  {same !== "" && other !== "" && (
                    <span className={styles["mark"]} title="Departs from the text before it here" />
                  )}
                  {other}
                </p>
              </li>
            );
          })}
        </ol>
      )}
    </Panel>
  );
}

interface Sample extends Pick<TextSampled, "step" | "prompt" | "text"> {
  key: string;
  /** What the same prompt gave the time before. */
  before: string | undefined;
}

function samplesOf(events: readonly Event[]): Sample[] {
  const newest = new Map<string, string>();
  return events.flatMap(({ fact, sequence }) => {
    if (fact.case !== "textSampled") return [];
    const { step, prompt, text } = fact.value;
    const before = newest.get(prompt);
    newest.set(prompt, text);
    return [{ step, prompt, text, before, key: String(sequence) }];
  });
}
