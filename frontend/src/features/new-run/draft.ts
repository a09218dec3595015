// What the user changed, and the request it makes: only changed fields are sent, so the preset decides the rest.
import { create, fromJson, toJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { RunSpecSchema, type RunSpec } from "@/gen/lab/v1/run_spec_pb";
import {
  CreateRunRequestSchema,
  type CreateRunRequest,
  type Preset,
} from "@/gen/lab/v1/trainer_service_pb";
import { EMPTY_SKETCH, type Sketch } from "./sketch";
import {
  BESIDE_FIELDS,
  MODEL_FIELDS,
  parseField,
  readPath,
  TRAINING_FIELDS,
  writePath,
  type FieldKind,
} from "./fields";

export interface Draft {
  preset: string;
  displayName: string;
  /** With commas between. */
  tags: string;
  corpus: string;
  length: "preset" | "steps" | "epochs";
  steps: string;
  epochs: string;
  /** One prompt a line; undefined: those of the preset. */
  prompts: string | undefined;
  /** Text of each changed field, by path. */
  changed: Readonly<Record<string, string>>;
  /** Values of spec fields that the form does not show, by path; from a YAML text, another run or a one-click fix. */
  beside: Readonly<Record<string, JsonValue>>;
  /** The loss its maker expects; empty when nothing was sketched. */
  sketch: Sketch;
}

export const NEW_DRAFT: Draft = {
  preset: "",
  displayName: "",
  tags: "",
  corpus: "",
  length: "preset",
  steps: "",
  epochs: "1",
  prompts: undefined,
  changed: {},
  beside: {},
  sketch: EMPTY_SKETCH,
};

const PROMPTS = "hooks.sample_prompts";
const KINDS = new Map<string, FieldKind>(
  [...TRAINING_FIELDS, ...BESIDE_FIELDS, ...MODEL_FIELDS].map((field) => [field.path, field.kind]),
);

/** A spec as plain JSON with the field names that violations use. */
export function specJson(spec: RunSpec | undefined): JsonObject {
  const json = spec ? toJson(RunSpecSchema, spec, { useProtoFieldName: true }) : {};
  return json as JsonObject;
}

/** The text a field shows: what was typed, else the preset's value. */
export function fieldText(draft: Draft, preset: JsonObject, path: string): string {
  const typed = draft.changed[path];
  if (typed !== undefined) return typed;
  return jsonText(readPath(preset, path));
}

function jsonText(value: JsonValue | undefined): string {
  return value === undefined || value === null || typeof value === "object" ? "" : String(value);
}

export interface Composed {
  request: CreateRunRequest;
  /** Fields whose text cannot be sent at all, by path. */
  errors: Record<string, string>;
}

export function composeRequest(draft: Draft, presets: readonly Preset[]): Composed {
  const spec: JsonObject = {};
  const errors: Record<string, string> = {};
  const preset = specJson(presets.find((one) => one.name === draft.preset)?.spec);
  const put = (path: string, kind: FieldKind, text: string) => {
    const parsed = parseField(kind, text);
    if ("error" in parsed) {
      errors[path] = parsed.error;
      return;
    }
    const piece: JsonObject = {};
    writePath(piece, path, parsed.value);
    try {
      fromJson(RunSpecSchema, piece); // a number may be too large for its field
      writePath(spec, path, parsed.value);
    } catch {
      errors[path] = "is larger than this field can hold";
    }
  };
  for (const [path, text] of Object.entries(draft.changed)) {
    if (text !== jsonText(readPath(preset, path))) put(path, KINDS.get(path) ?? "text", text);
  }
  for (const [path, value] of Object.entries(draft.beside)) writePath(spec, path, value);
  if (draft.corpus !== "") put("data.corpus", "text", draft.corpus);
  if (draft.length === "steps") put("budget.steps", "whole", draft.steps);
  if (draft.length === "epochs") put("budget.epochs", "number", draft.epochs);
  if (draft.prompts !== undefined) writePath(spec, PROMPTS, linesOf(draft.prompts));
  const request = create(CreateRunRequestSchema, {
    preset: draft.preset,
    displayName: draft.displayName.trim(),
    tags: tagsOf(draft.tags),
    overrides: fromJson(RunSpecSchema, spec),
  });
  return { request, errors };
}

/** Tags typed with commas between. */
export function tagsOf(text: string): string[] {
  return text
    .split(",")
    .map((tag) => tag.trim())
    .filter(Boolean);
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

/** The prompts the form shows when nothing was typed. */
export function presetPrompts(preset: JsonObject): string {
  const prompts = readPath(preset, PROMPTS);
  return Array.isArray(prompts) ? prompts.map(jsonText).join("\n") : "";
}

/** Everything in which a spec, whole or partial, differs from its preset, as if it had been typed. */
export function draftOfSpec(preset: Preset, spec: RunSpec | undefined): Draft {
  const base = specJson(preset.spec);
  let draft: Draft = { ...NEW_DRAFT, preset: preset.name };
  for (const [section, fields] of Object.entries(specJson(spec))) {
    for (const [name, value] of Object.entries(fields as JsonObject)) {
      const path = `${section}.${name}`;
      if (!sameJson(value, readPath(base, path))) draft = withSetting(draft, path, value);
    }
  }
  return draft;
}

/** The draft with one setting of the spec changed, in whatever field of the form it has. */
export function withSetting(draft: Draft, path: string, value: JsonValue): Draft {
  if (path === "data.corpus") return { ...draft, corpus: jsonText(value) };
  if (path === "budget.steps") return { ...draft, length: "steps", steps: jsonText(value) };
  if (path === "budget.epochs") return { ...draft, length: "epochs", epochs: jsonText(value) };
  if (path === PROMPTS && Array.isArray(value) && value.every(isOneLine)) {
    return { ...draft, prompts: value.join("\n") };
  }
  if (KINDS.has(path)) {
    return { ...draft, changed: { ...draft.changed, [path]: jsonText(value) } };
  }
  return { ...draft, beside: { ...draft.beside, [path]: value } };
}

function isOneLine(value: JsonValue): value is string {
  return typeof value === "string" && !value.includes("\n");
}

function sameJson(one: JsonValue, other: JsonValue | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
