// Lets the model write: settings, a growing text, and for each token what else was likely.
import { useState, type SyntheticEvent } from "react";
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
import { statusOf } from "./generation-status";
import { SettingsForm } from "./settings-form";
import { useGeneration } from "./use-generation";
import { WrittenText } from "./written-text";

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
              {statusOf(state, {
                starting: generation.starting,
                writing,
                maxTokens: started?.maxTokens ?? 0,
              })}
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
          <Alternatives step={selected === null ? undefined : state.tokens[selected]} />
        </div>
      </div>
    </Panel>
  );
}
