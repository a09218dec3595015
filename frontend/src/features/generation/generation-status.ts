// How a generation is doing, in words.
import { FinishReason } from "@/gen/lab/v1/inference_service_pb";
import { formatCount } from "@/lib/format";
import type { GenerationState } from "./generation-state";

export interface Progress {
  readonly starting: boolean;
  readonly writing: boolean;
  /** As many as were asked for. */
  readonly maxTokens: number;
}

export function statusOf(
  state: GenerationState,
  { starting, writing, maxTokens }: Progress,
): string {
  if (starting) return "starting…";
  const count = state.tokens.length;
  const ending = writing ? "" : endingOf(state, maxTokens);
  if (count === 0) return writing ? "waiting for the first token…" : ending;
  const speed = state.elapsedSecs > 0 ? `, ${formatCount(count / state.elapsedSecs)} tok/s` : "";
  return `${count} ${count === 1 ? "token" : "tokens"}${speed}${ending === "" ? "" : ` · ${ending}`}`;
}

function endingOf(state: GenerationState, maxTokens: number): string {
  switch (state.finish) {
    case FinishReason.LENGTH:
      // A model cannot write past its context, whatever was asked for.
      return state.tokens.length < maxTokens ? "the model's context is full" : "reached max tokens";
    case FinishReason.END_OF_TEXT:
      return "the model ended the text";
    case FinishReason.STOP:
      return "a stop string came";
    case FinishReason.CANCELLED:
      return "cancelled";
    case FinishReason.UNSPECIFIED:
      return "";
  }
}
