// Lets the model write: settings, a growing text, and for each token what else was likely. With a second model both
// write at once, with the same dice, and the place where they part is marked.
import { useEffect, useEffectEvent, useState, type SyntheticEvent } from "react";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { Tooltip } from "@/ui/tooltip";
import { firstDifference } from "./compare-texts";
import { GeneratedColumn } from "./generated-column";
import styles from "./generation-pane.module.css";
import { isSettingsError, toRequest, type SettingsError } from "./generation-settings";
import { isEnded } from "./generation-state";
import { SettingsForm } from "./settings-form";
import { useGeneration } from "./use-generation";
import { seeded, useSettings } from "./use-settings";

const DEFINITION =
  "Each token is drawn from softmax(scores ÷ temperature) of those that the sampler leaves. Chance is a function of seed, place and token alone, so two checkpoints with one seed get the same dice: their texts differ only where the models do. After the first difference they read different texts.";

export function GenerationPane({
  model,
  other,
  otherRun,
}: {
  model: LoadedModel | undefined;
  /** Writes beside it. */
  other?: LoadedModel | undefined;
  /** Whose those are, where they are another run's. */
  otherRun?: string | undefined;
}) {
  const { settings, set } = useSettings();
  const [error, setError] = useState<SettingsError | null>(null);
  const [selected, setSelected] = useState<number | null>(null);
  const [hovered, setHovered] = useState<number | null>(null);
  const [follow, setFollow] = useState(false);
  const mine = useGeneration();
  const theirs = useGeneration();
  const pair = other !== undefined;
  const writing = mine.writing || (pair && theirs.writing);
  const starting = mine.starting || (pair && theirs.starting);
  const { started } = mine;

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (model === undefined) return;
    const request = toRequest(model.name, settings);
    const fault = isSettingsError(request) ? request : null;
    setError(fault);
    setSelected(null);
    if (fault !== null) return;
    const asked = seeded(settings);
    mine.generate(model, asked);
    if (other !== undefined) theirs.generate(other, asked);
  };
  // The same dice again, with the weights at the playhead.
  const again = () => {
    if (started === null || model === undefined) return;
    if (model.name !== started.model) mine.generate(model, started.settings);
    if (other !== undefined && other.name !== theirs.started?.model) {
      theirs.generate(other, started.settings);
    }
  };
  const onOtherWeights = useEffectEvent(again);
  useEffect(() => {
    if (follow) onOtherWeights();
  }, [follow, model?.name, other?.name]);

  const over = isEnded(mine.state) && isEnded(theirs.state);
  const comparable = pair && started !== null && theirs.started?.settings === started.settings;
  const differsAt = comparable
    ? firstDifference(mine.state.tokens, theirs.state.tokens, over)
    : null;
  const old = started !== null && model !== undefined && started.model !== model.name;
  const shown = selected ?? hovered;
  return (
    <Panel
      title="Generation"
      definition={DEFINITION}
      controls={
        <>
          {old && !follow && (
            <Button kind="quiet" disabled={starting} onClick={again} data-testid="write-again">
              write again at step {formatCount(model.step)}
            </Button>
          )}
          <Tooltip text="Writes the same prompt with the same seed again whenever the playhead comes to other weights.">
            <Button
              aria-pressed={follow}
              onClick={() => setFollow(!follow)}
              data-testid="generation-follow"
            >
              follow the playhead
            </Button>
          </Tooltip>
        </>
      }
      className={styles["pane"] ?? ""}
    >
      <div className={styles["columns"]}>
        <form className={styles["form"]} onSubmit={submit}>
          <SettingsForm settings={settings} error={error} disabled={writing} onChange={set} />
          <div className={styles["actions"]}>
            <Button
              type="submit"
              kind="primary"
              disabled={model === undefined || writing}
              busy={starting}
              data-testid="generate"
            >
              {pair ? "Generate with both" : "Generate"}
            </Button>
            <Button
              disabled={!writing}
              onClick={() => {
                mine.cancel();
                theirs.cancel();
              }}
              data-testid="cancel-generation"
            >
              Cancel
            </Button>
            {started && (
              <Button
                kind="quiet"
                title="Keep this seed for the next text"
                aria-pressed={settings.seed === started.settings.seed}
                onClick={() => set({ seed: started.settings.seed })}
                data-testid="keep-seed"
              >
                seed {started.settings.seed}
              </Button>
            )}
          </div>
        </form>
        <div className={styles["result"]}>
          {model === undefined && started === null && (
            <p className={styles["status"]}>
              Needs weights: go to a saved checkpoint, or to the live end of a run in training.
            </p>
          )}
          {comparable && (
            <p className={styles["status"]} role="status" data-testid="first-difference">
              {differsAt === null
                ? "the same so far"
                : `they part at token ${formatCount(differsAt)}, counted from 0`}
            </p>
          )}
          <div className={pair ? styles["pair"] : undefined}>
            <GeneratedColumn
              writing={mine}
              testId="generated-text"
              differsAt={differsAt}
              selected={shown}
              onHover={setHovered}
              onSelect={setSelected}
            />
            {pair && (
              <GeneratedColumn
                writing={theirs}
                whose={otherRun}
                testId="generated-text-other"
                differsAt={differsAt}
                selected={shown}
                onHover={setHovered}
                onSelect={setSelected}
              />
            )}
          </div>
        </div>
      </div>
    </Panel>
  );
}
