// A spec as a flat list of settings, each with its dotted path and its value as YAML writes it.
import { toJson, type JsonValue } from "@bufbuild/protobuf";
import { PrecisionSchema, RunSpecSchema, ScheduleShapeSchema } from "@/gen/lab/v1/run_spec_pb";
import type { RunSpec } from "@/gen/lab/v1/run_spec_pb";

/** In the order of the message: "model.layers" -> "6", "schedule.shape" -> "cosine". */
export type FlatSpec = ReadonlyMap<string, string>;

// As texts.py does: SCHEDULE_SHAPE_COSINE is written cosine.
const WORDS = new Map(
  [PrecisionSchema, ScheduleShapeSchema].flatMap((schema) =>
    schema.values.map((value) => [value.name, value.localName.toLowerCase()] as const),
  ),
);
// 64-bit numbers are texts in ProtoJSON; YAML has them plain.
const PLAIN = new Set(["data.seed"]);

export function flatSpec(spec: RunSpec | undefined): FlatSpec {
  const flat = new Map<string, string>();
  if (!spec) return flat;
  const sections = toJson(RunSpecSchema, spec, { useProtoFieldName: true });
  for (const [section, fields] of Object.entries(sections as Record<string, object>)) {
    for (const [field, value] of Object.entries(fields as Record<string, JsonValue>)) {
      const path = `${section}.${field}`;
      flat.set(path, asYaml(path, value));
    }
  }
  return flat;
}

function asYaml(path: string, value: JsonValue): string {
  if (typeof value !== "string") return JSON.stringify(value); // flow style YAML
  const word = WORDS.get(value);
  if (word !== undefined) return word;
  return PLAIN.has(path) || isBareWord(value) ? value : JSON.stringify(value);
}

/** Whether YAML reads it as a text without quotes. */
function isBareWord(text: string): boolean {
  return /^[a-z]\w*(-\w+)*$/i.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text);
}

/** The settings in which `spec` is not `base`. */
export function changedSettings(spec: FlatSpec, base: FlatSpec): [path: string, value: string][] {
  return [...spec].filter(([path, value]) => base.get(path) !== value);
}

export interface SpecDifference {
  path: string;
  /** One per spec, in their order; undefined where it says nothing. */
  values: (string | undefined)[];
}

/** Only the settings in which not all are the same. */
export function specDifferences(specs: readonly FlatSpec[]): SpecDifference[] {
  const paths = new Set(specs.flatMap((spec) => [...spec.keys()]));
  return [...paths]
    .map((path) => ({ path, values: specs.map((spec) => spec.get(path)) }))
    .filter(({ values }) => new Set(values).size > 1);
}
