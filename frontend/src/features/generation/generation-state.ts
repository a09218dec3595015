// A text being written, folded from what the live socket says. Tokens carry their index, so one seen twice (a replay
// after a reconnect) changes nothing and one that comes late finds its place.
import type { Problem } from "@/gen/lab/v1/error_pb";
import { FinishReason, type GenerateResponse } from "@/gen/lab/v1/inference_service_pb";
import type { Generation, Publication, Snapshot } from "@/gen/lab/v1/live_pb";

export interface GenerationState {
  /** By index, without the closing message. */
  readonly tokens: readonly GenerateResponse[];
  readonly finish: FinishReason;
  readonly problem: Problem | null;
  readonly elapsedSecs: number;
}

export const EMPTY_GENERATION: GenerationState = {
  tokens: [],
  finish: FinishReason.UNSPECIFIED,
  problem: null,
  elapsedSecs: 0,
};

export function isEnded(state: GenerationState): boolean {
  return state.finish !== FinishReason.UNSPECIFIED || state.problem !== null;
}

/** A snapshot voids everything known before. */
export function fromSnapshot(snapshot: Snapshot): GenerationState {
  if (snapshot.state.case !== "generation") return EMPTY_GENERATION;
  const generation: Generation = snapshot.state.value;
  const state = generation.tokens.reduce(withToken, EMPTY_GENERATION);
  return {
    ...state,
    finish: state.finish === FinishReason.UNSPECIFIED ? generation.finishReason : state.finish,
    problem: generation.problem ?? null,
  };
}

export function withPublication(state: GenerationState, publication: Publication): GenerationState {
  switch (publication.payload.case) {
    case "token":
      return withToken(state, publication.payload.value);
    case "problem":
      return { ...state, problem: publication.payload.value };
    default:
      return state;
  }
}

function withToken(state: GenerationState, message: GenerateResponse): GenerationState {
  const elapsedSecs = Math.max(state.elapsedSecs, message.elapsedSecs);
  const finish =
    message.finishReason === FinishReason.UNSPECIFIED ? state.finish : message.finishReason;
  // The closing message has no token, but may bring text that was held back for an unfinished character.
  if (message.token === undefined && message.text === "") return { ...state, finish, elapsedSecs };
  return { tokens: placed(state.tokens, message), finish, problem: state.problem, elapsedSecs };
}

function placed(
  tokens: readonly GenerateResponse[],
  message: GenerateResponse,
): readonly GenerateResponse[] {
  const last = tokens.at(-1);
  if (last === undefined || last.index < message.index) return [...tokens, message];
  if (tokens.some((token) => token.index === message.index)) return tokens;
  return [...tokens, message].sort((a, b) => a.index - b.index);
}
