// What the user may set for a generation, as typed into the form. The server checks; the form only shapes.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GenerateRequestSchema } from "@/gen/lab/v1/inference_service_pb";

export interface GenerationSettings {
  readonly prompt: string;
  readonly temperature: number;
  readonly topK: string;
  readonly maxTokens: string;
  /** Empty draws a new one each time. */
  readonly seed: string;
  readonly topP: string;
  readonly minP: string;
  readonly repetitionPenalty: string;
  /** One per line; the text ends before any of them. */
  readonly stop: string;
}

export const DEFAULT_SETTINGS: GenerationSettings = {
  prompt: "The",
  temperature: 0.8,
  topK: "40",
  maxTokens: "64",
  seed: "",
  topP: "1",
  minP: "0",
  repetitionPenalty: "1",
  stop: "",
};

export type SettingsError = {
  readonly field: "topK" | "maxTokens" | "seed" | "topP" | "minP" | "repetitionPenalty";
  readonly text: string;
};

const NUMBER = /^\d{0,3}(\.\d{1,9})?$/;
const WHOLE_NUMBER = /^\d{1,19}$/;

/** The request, or the first field that is no whole number. */
export function toRequest(
  model: string,
  settings: GenerationSettings,
): MessageInitShape<typeof GenerateRequestSchema> | SettingsError {
  for (const field of ["topK", "maxTokens"] as const) {
    if (!WHOLE_NUMBER.test(settings[field]) || Number(settings[field]) > 1_000_000) {
      return { field, text: "A whole number, please." };
    }
  }
  if (settings.seed !== "" && !WHOLE_NUMBER.test(settings.seed)) {
    return { field: "seed", text: "A whole number, or nothing for a new one each time." };
  }
  for (const field of ["topP", "minP", "repetitionPenalty"] as const) {
    if (settings[field] === "" || !NUMBER.test(settings[field])) {
      return { field, text: "A number, please." };
    }
  }
  const stop = settings.stop.split("\n").filter((one) => one !== "");
  return {
    model,
    prompt: settings.prompt,
    temperature: settings.temperature,
    topK: Number(settings.topK),
    maxTokens: Number(settings.maxTokens),
    topP: Number(settings.topP),
    minP: Number(settings.minP),
    repetitionPenalty: Number(settings.repetitionPenalty),
    stop,
    ...(settings.seed !== "" && { seed: BigInt(settings.seed) }),
  };
}

export function isSettingsError(
  value: MessageInitShape<typeof GenerateRequestSchema> | SettingsError,
): value is SettingsError {
  return "field" in value;
}
