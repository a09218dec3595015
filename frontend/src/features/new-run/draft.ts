// What the user changed, and the request it makes: only changed fields are sent, so the preset decides the rest.
import { create, fromJson, toJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { RunSpecSchema, type RunSpec } from "@/gen/lab/v1/run_spec_pb";
import {
  CreateRunRequestSchema,
  type CreateRunRequest,
  type Preset,
} from "@/gen/lab/v1/trainer_service_pb";
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
  corpus: string;
  length: "preset" | "steps" | "epochs";
  steps: string;
  epochs: string;
  prompt: string | undefined;
  /** Text of each changed field, by path. */
  changed: Readonly<Record<string, string>>;
}

export const NEW_DRAFT: Draft = {
  preset: "",
  displayName: "",
  corpus: "",
  length: "preset",
  steps: "",
  epochs: "1",
  prompt: undefined,
  changed: {},
};

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
  if (draft.corpus !== "") put("data.corpus", "text", draft.corpus);
  if (draft.length === "steps") put("budget.steps", "whole", draft.steps);
  if (draft.length === "epochs") put("budget.epochs", "number", draft.epochs);
  const request = create(CreateRunRequestSchema, {
    preset: draft.preset,
    displayName: draft.displayName.trim(),
    overrides: fromJson(RunSpecSchema, spec),
  });
  if (draft.prompt !== undefined && request.overrides) {
    request.overrides.hooks = fromJson(RunSpecSchema, {
      hooks: {
        ...((spec["hooks"] as JsonObject | undefined) ?? {}),
        samplePrompts: [draft.prompt],
      },
    }).hooks;
  }
  return { request, errors };
}
