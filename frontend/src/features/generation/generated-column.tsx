// One text as it is written: whose it is, how it does, and what else was likely at the chosen place.
import { formatCount } from "@/lib/format";
import { ProblemNotice } from "@/ui/problem-notice";
import { Alternatives } from "./alternatives";
import styles from "./generation-pane.module.css";
import { statusOf } from "./generation-status";
import type { Writing } from "./use-generation";
import { WrittenText } from "./written-text";

export function GeneratedColumn({
  writing: { started, state, starting, writing, problem },
  whose,
  testId,
  differsAt,
  selected,
  onHover,
  onSelect,
}: {
  writing: Writing;
  /** The run, where it is another than the page's. */
  whose?: string | undefined;
  testId: "generated-text" | "generated-text-other";
  differsAt: number | null;
  selected: number | null;
  onHover: (index: number | null) => void;
  onSelect: (index: number | null) => void;
}) {
  const isOther = testId === "generated-text-other";
  return (
    <div className={styles["text"]}>
      {problem && <ProblemNotice problem={problem} />}
      <p className={styles["status"]} role="status">
        {started && (
          <span data-testid={isOther ? "generation-other-step" : "generation-step"}>
            weights from {whose && `${whose}, `}step {formatCount(started.step)}
            {" · "}
          </span>
        )}
        <span data-testid={isOther ? "generation-other-status" : "generation-status"}>
          {statusOf(state, {
            starting,
            writing,
            maxTokens: Number(started?.settings.maxTokens ?? 0),
          })}
        </span>
      </p>
      <WrittenText
        prompt={started?.settings.prompt ?? ""}
        tokens={state.tokens}
        writing={writing}
        dimmed={starting}
        selected={selected}
        differsAt={differsAt}
        label={isOther ? "Text of the other weights" : "Generated text"}
        onHover={onHover}
        onSelect={onSelect}
        data-testid={testId}
      />
      <Alternatives
        step={selected === null ? undefined : state.tokens[selected]}
        label={isOther ? "Likeliest tokens here, other weights" : "Likeliest tokens here"}
      />
    </div>
  );
}
