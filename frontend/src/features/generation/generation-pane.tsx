// Lets the model write: settings, a growing text, and for each token what else was likely.
import { useState, type SyntheticEvent } from "react";
import { FinishReason } from "@/gen/lab/v1/inference_service_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { Alternatives } from "./alternatives";
import styles from "./generation-pane.module.css";
import {
  DEFAULT_SETTINGS,
  isSettingsError,
  toRequest,
  type SettingsError,
} from "./generation-settings";
import type { GenerationState } from "./generation-state";
import { SettingsForm } from "./settings-form";
import { useGeneration } from "./use-generation";
import { WrittenText } from "./written-text";

const ENDINGS: Record<FinishReason, string> = {
  [FinishReason.UNSPECIFIED]: "",
  [FinishReason.LENGTH]: "reached max tokens",
  [FinishReason.END_OF_TEXT]: "the model ended the text",
  [FinishReason.CANCELLED]: "cancelled",
};

export function GenerationPane({ model }: { model: LoadedModel | undefined }) {
  const [settings, setSettings] = useState(DEFAULT_SETTINGS);
  const [error, setError] = useState<SettingsError | null>(null);
  const [selected, setSelected] = useState<number | null>(null);
  const generation = useGeneration(model);
  const { state, started, writing } = generation;

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (model === undefined) return;
    const request = toRequest(model.name, settings);
    const fault = isSettingsError(request) ? request : null;
    setError(fault);
    setSelected(null);
    if (fault === null) generation.generate(settings);
  };

  return (
    <Panel
      title="Generation"
      controls={
        started && (
          <span data-testid="generation-step">weights from step {formatCount(started.step)}</span>
        )
      }
      className={styles["pane"] ?? ""}
    >
      <div className={styles["columns"]}>
        <form className={styles["form"]} onSubmit={submit}>
          <SettingsForm
            settings={settings}
            error={error}
            disabled={writing}
            onChange={(change) => setSettings((held) => ({ ...held, ...change }))}
          />
          <div className={styles["actions"]}>
            <Button
              type="submit"
              kind="primary"
              disabled={model === undefined || writing}
              busy={generation.starting}
              data-testid="generate"
            >
              Generate
            </Button>
            <Button disabled={!writing} onClick={generation.cancel} data-testid="cancel-generation">
              Cancel
            </Button>
            <span className={styles["status"]} role="status" data-testid="generation-status">
              {statusOf(state, { starting: generation.starting, writing })}
            </span>
          </div>
        </form>
        <div className={styles["result"]}>
          {generation.problem && <ProblemNotice problem={generation.problem} />}
          <WrittenText
            prompt={started?.prompt ?? ""}
            tokens={state.tokens}
            writing={writing}
            selected={selected}
            onSelect={setSelected}
          />
          <div className={styles["alternatives"]}>
            <Alternatives step={selected === null ? undefined : state.tokens[selected]} />
          </div>
        </div>
      </div>
    </Panel>
  );
}

function statusOf(
  state: GenerationState,
  { starting, writing }: { starting: boolean; writing: boolean },
): string {
  if (starting) return "starting…";
  const count = state.tokens.length;
  if (count === 0) return writing ? "waiting for the first token…" : ENDINGS[state.finish];
  const speed = state.elapsedSecs > 0 ? `, ${formatCount(count / state.elapsedSecs)} tok/s` : "";
  const ending = writing ? "" : ENDINGS[state.finish];
  return `${count} ${count === 1 ? "token" : "tokens"}${speed}${ending === "" ? "" : ` · ${ending}`}`;
}
