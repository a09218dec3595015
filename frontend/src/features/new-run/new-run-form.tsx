// The form a run is started from. The server checks it while it is filled in; nothing is created before Start.
import { clone } from "@bufbuild/protobuf";
import { useMemo, useState } from "react";
import { asProblem } from "@/api/problem";
import { createRun } from "@/api/runs";
import type { Corpus } from "@/gen/lab/v1/corpus_pb";
import {
  CreateRunRequestSchema,
  type CreateRunRequest,
  type Preset,
} from "@/gen/lab/v1/trainer_service_pb";
import { randomId } from "@/lib/random-id";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { AlsoSet } from "./also-set";
import { CorpusField } from "./corpus-field";
import {
  composeRequest,
  draftOfSpec,
  fieldText,
  NEW_DRAFT,
  presetPrompts,
  specJson,
  withSetting,
  type Draft,
} from "./draft";
import { BESIDE_FIELDS, MODEL_FIELDS, TRAINING_FIELDS, type FormField } from "./fields";
import { formErrors } from "./form-errors";
import { LengthField } from "./length-field";
import { LossSketch } from "./loss-sketch";
import styles from "./new-run-form.module.css";
import { PreflightPanel } from "./preflight-panel";
import { PresetCards } from "./preset-cards";
import { PromptField } from "./prompt-field";
import { predictionOf } from "./sketch";
import { SpecField } from "./spec-field";
import { TextField } from "./text-field";
import { usePreflight } from "./use-preflight";
import { YamlPanel } from "./yaml-panel";

export function NewRunForm({
  presets,
  corpora,
  begin,
  onStarted,
}: {
  presets: readonly Preset[];
  corpora: readonly Corpus[];
  /** What the form begins with: a copy of another run. Without it, the first preset as it is. */
  begin?: Draft | undefined;
  onStarted: (runName: string) => void;
}) {
  const [draft, setDraft] = useState<Draft>(
    () => begin ?? { ...NEW_DRAFT, preset: presets[0]?.name ?? "" },
  );
  const [starting, setStarting] = useState(false);
  const [problem, setProblem] = useState<ProblemText | null>(null);
  // One id for one intention: pressing Start again after a lost answer finds the run that was made.
  const [requestId] = useState(randomId);
  const { sketch, ...settings } = draft;
  const key = JSON.stringify(settings); // a stroke of the sketch is no reason to ask the server again
  const { request, errors: unsendable } = useMemo(
    () => composeRequest({ ...(JSON.parse(key) as typeof settings), sketch: [] }, presets),
    [key, presets],
  );
  const sendable = Object.keys(unsendable).length === 0;
  const checked = usePreflight(request, sendable);
  const errors = formErrors(unsendable, checked.problem);
  const preset = useMemo(
    () => specJson(presets.find((one) => one.name === draft.preset)?.spec),
    [presets, draft.preset],
  );
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const fieldFor = (field: FormField) => (
    <SpecField
      key={field.path}
      field={field}
      text={fieldText(draft, preset, field.path)}
      error={errors.at(field.path)}
      onChange={(text) => change({ changed: { ...draft.changed, [field.path]: text } })}
    />
  );
  const fix = (remedy: string) => {
    const [path = "", value = ""] = remedy.split("=", 2);
    setDraft((before) => withSetting(before, path, Number.isNaN(+value) ? value : +value));
  };
  const read = (asked: CreateRunRequest) => {
    const name = asked.preset || draft.preset;
    const named = presets.find((one) => one.name === name);
    if (!named) throw new Error(`There is no preset ${name} here.`);
    const { displayName, tags, sketch } = draft;
    setDraft({ ...draftOfSpec(named, asked.overrides), displayName, tags, sketch });
  };
  const start = async () => {
    setStarting(true);
    setProblem(null);
    try {
      const order = clone(CreateRunRequestSchema, request);
      order.requestId = requestId;
      const prediction = predictionOf(sketch, checked.run?.spec?.budget?.steps ?? 0);
      if (prediction) order.prediction = prediction;
      onStarted((await createRun(order)).name);
    } catch (error) {
      setProblem(asProblem(error));
      setStarting(false);
    }
  };

  return (
    <form
      className={styles["form"]}
      data-testid="new-run-form"
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <div className={styles["column"]}>
        <Panel title="Preset">
          <PresetCards
            presets={presets}
            chosen={draft.preset}
            onChoose={(name) => change({ preset: name })}
          />
        </Panel>
        <Panel title="Text and length">
          <div className={styles["two"]}>
            <CorpusField
              corpora={corpora}
              value={draft.corpus || fieldText(draft, preset, "data.corpus")}
              error={errors.at("data.corpus")}
              onChange={(corpus) => change({ corpus })}
            />
            <LengthField
              draft={draft}
              presetSteps={fieldText(draft, preset, "budget.steps")}
              error={errors.at("budget.steps") ?? errors.at("budget.epochs")}
              onChange={change}
            />
            <TextField
              label="Name"
              hint="what people call it; empty: its id"
              error={errors.at("display_name")}
              data-testid="field-display-name"
              value={draft.displayName}
              onChange={(displayName) => change({ displayName })}
            />
            <TextField
              label="Tags"
              hint="short words with commas between, to find and group it by"
              error={errors.at("tags")}
              data-testid="field-tags"
              value={draft.tags}
              onChange={(tags) => change({ tags })}
            />
          </div>
        </Panel>
        <Panel title="Training">
          <div className={styles["grid"]}>{TRAINING_FIELDS.map(fieldFor)}</div>
        </Panel>
        <Panel title="Beside training">
          <PromptField
            value={draft.prompts ?? presetPrompts(preset)}
            error={errors.at("hooks.sample_prompts")}
            onChange={(prompts) => change({ prompts })}
          />
          <div className={styles["grid"]}>{BESIDE_FIELDS.map(fieldFor)}</div>
        </Panel>
        <details className={styles["more"]}>
          <summary>Shape of the model and more</summary>
          <div className={styles["grid"]}>{MODEL_FIELDS.map(fieldFor)}</div>
        </details>
        <details className={styles["more"]} data-testid="predict">
          <summary>Predict first: draw the loss you expect</summary>
          <LossSketch
            sketch={sketch}
            steps={checked.run?.spec?.budget?.steps ?? 0}
            vocabulary={checked.run?.spec?.model?.vocabSize ?? 0}
            onChange={(next) => change({ sketch: next })}
          />
        </details>
        <details className={styles["more"]} data-testid="as-yaml">
          <summary>As YAML</summary>
          <YamlPanel preset={draft.preset} spec={checked.run?.spec} onRead={read} />
        </details>
        <AlsoSet beside={draft.beside} onChange={(beside) => change({ beside })} />
      </div>
      <aside className={styles["aside"]}>
        <PreflightPanel run={checked.run} preflight={checked.preflight} onFix={fix} />
        {errors.elsewhere.length > 0 || (checked.problem && errors.none) ? (
          <ProblemNotice
            problem={{
              title: checked.problem?.title ?? "",
              detail: errors.none ? (checked.problem?.detail ?? "") : "",
              violations: errors.elsewhere,
              requestId: checked.problem?.requestId ?? "",
            }}
          />
        ) : null}
        {problem && <ProblemNotice problem={problem} />}
        <Button
          type="submit"
          kind="primary"
          className={styles["start"]}
          data-testid="start-run"
          busy={starting}
          disabled={!sendable || checked.problem !== undefined || draft.preset === ""}
        >
          {starting ? "Starting…" : "Start"}
        </Button>
        <p className={styles["note"]} role="status">
          {checked.asking ? "checking…" : "Nothing is created before Start."}
        </p>
      </aside>
    </form>
  );
}
