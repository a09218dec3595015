// The form a run is started from. The server checks it while it is filled in; nothing is created before Start.
import { clone } from "@bufbuild/protobuf";
import { useMemo, useState } from "react";
import { asProblem } from "@/api/problem";
import { createRun } from "@/api/runs";
import type { Corpus } from "@/gen/lab/v1/corpus_pb";
import { CreateRunRequestSchema, type Preset } from "@/gen/lab/v1/trainer_service_pb";
import { randomId } from "@/lib/random-id";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { Panel } from "@/ui/panel";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { TextArea } from "@/ui/text-area";
import { TextInput } from "@/ui/text-input";
import { CorpusField } from "./corpus-field";
import { composeRequest, fieldText, NEW_DRAFT, specJson, type Draft } from "./draft";
import { BESIDE_FIELDS, MODEL_FIELDS, TRAINING_FIELDS, type FormField } from "./fields";
import { LengthField } from "./length-field";
import styles from "./new-run-form.module.css";
import { PreflightPanel } from "./preflight-panel";
import { PresetCards } from "./preset-cards";
import { SpecField } from "./spec-field";
import { usePreflight } from "./use-preflight";

export function NewRunForm({
  presets,
  corpora,
  onStarted,
}: {
  presets: readonly Preset[];
  corpora: readonly Corpus[];
  onStarted: (runName: string) => void;
}) {
  const [draft, setDraft] = useState<Draft>({ ...NEW_DRAFT, preset: presets[0]?.name ?? "" });
  const [starting, setStarting] = useState(false);
  const [problem, setProblem] = useState<ProblemText | null>(null);
  // One id for one intention: pressing Start again after a lost answer finds the run that was made.
  const [requestId] = useState(randomId);
  const { request, errors } = useMemo(() => composeRequest(draft, presets), [draft, presets]);
  const sendable = Object.keys(errors).length === 0;
  const preflight = usePreflight(request, sendable);
  const preset = useMemo(
    () => specJson(presets.find((one) => one.name === draft.preset)?.spec),
    [presets, draft.preset],
  );

  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const violations = (preflight.problem?.violations ?? []).map(({ field, description }) => ({
    field: field.replace(/\[\d+\]$/, ""), // one of a list is shown at the list's field
    description,
  }));
  const errorAt = (path: string) =>
    errors[path] ??
    violations.find(({ field }) => field === path || field.endsWith(`.${path}`))?.description;
  const fieldFor = (field: FormField) => (
    <SpecField
      key={field.path}
      field={field}
      text={fieldText(draft, preset, field.path)}
      error={errorAt(field.path)}
      onChange={(text) => change({ changed: { ...draft.changed, [field.path]: text } })}
    />
  );
  const shownAtFields = [...TRAINING_FIELDS, ...BESIDE_FIELDS, ...MODEL_FIELDS]
    .map((field) => field.path)
    .concat("data.corpus", "budget.steps", "budget.epochs", "hooks.sample_prompts", "display_name");
  const elsewhere = violations.filter(
    ({ field }) => !shownAtFields.some((path) => field === path || field.endsWith(`.${path}`)),
  );
  const prompts = preset["hooks"];
  const presetPrompt =
    typeof prompts === "object" && prompts !== null && !Array.isArray(prompts)
      ? (prompts["sample_prompts"] as string[] | undefined)?.[0]
      : undefined;

  const start = async () => {
    setStarting(true);
    setProblem(null);
    try {
      const order = clone(CreateRunRequestSchema, request);
      order.requestId = requestId;
      const run = await createRun(order);
      onStarted(run.name);
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
              error={errorAt("data.corpus")}
              onChange={(corpus) => change({ corpus })}
            />
            <LengthField
              draft={draft}
              presetSteps={fieldText(draft, preset, "budget.steps")}
              error={errorAt("budget.steps") ?? errorAt("budget.epochs")}
              onChange={change}
            />
            <Field
              label="Name"
              hint="what people call it; empty: its id"
              error={errorAt("display_name")}
            >
              {(control) => (
                <TextInput
                  {...control}
                  data-testid="field-display-name"
                  value={draft.displayName}
                  onChange={(event) => change({ displayName: event.target.value })}
                />
              )}
            </Field>
          </div>
        </Panel>
        <Panel title="Training">
          <div className={styles["grid"]}>{TRAINING_FIELDS.map(fieldFor)}</div>
        </Panel>
        <Panel title="Beside training">
          <Field
            label="Sample prompt"
            hint="continued again and again while it learns"
            error={errorAt("hooks.sample_prompts")}
          >
            {(control) => (
              <TextArea
                {...control}
                rows={2}
                data-testid="field-prompt"
                value={draft.prompt ?? presetPrompt ?? ""}
                onChange={(event) => change({ prompt: event.target.value })}
              />
            )}
          </Field>
          <div className={styles["grid"]}>{BESIDE_FIELDS.map(fieldFor)}</div>
        </Panel>
        <details className={styles["more"]}>
          <summary>Shape of the model and more</summary>
          <div className={styles["grid"]}>{MODEL_FIELDS.map(fieldFor)}</div>
        </details>
      </div>
      <aside className={styles["aside"]}>
        <PreflightPanel run={preflight.run} />
        {elsewhere.length > 0 || (preflight.problem && violations.length === 0) ? (
          <ProblemNotice
            problem={{
              title: preflight.problem?.title ?? "",
              detail: violations.length === 0 ? (preflight.problem?.detail ?? "") : "",
              violations: elsewhere,
              requestId: preflight.problem?.requestId ?? "",
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
          disabled={!sendable || preflight.problem !== undefined || draft.preset === ""}
        >
          {starting ? "Starting…" : "Start"}
        </Button>
        <p className={styles["note"]} role="status">
          {preflight.asking ? "checking…" : "Nothing is created before Start."}
        </p>
      </aside>
    </form>
  );
}
