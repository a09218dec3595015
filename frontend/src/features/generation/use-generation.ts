// Starts, follows and cancels one generation. The order goes by REST, the tokens come by the live channel.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { cancelGeneration, createGeneration } from "@/api/generations";
import { withModel } from "@/api/models";
import { asProblem } from "@/api/problem";
import type { Problem } from "@/gen/lab/v1/error_pb";
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { useChannel } from "@/live/use-channel";
import { generationReducer } from "./generation-channel";
import { isSettingsError, toRequest, type GenerationSettings } from "./generation-settings";
import { isEnded } from "./generation-state";

/** A generation that was accepted, with what it was asked of. */
export interface Started {
  readonly name: string;
  /** "models/{model}". */
  readonly model: string;
  readonly step: number;
  readonly settings: GenerationSettings;
}

interface Order {
  readonly asked: LoadedModel;
  readonly settings: GenerationSettings;
}

/** Until the first token of a new text is there, the one before it stays. */
export function useGeneration() {
  const [started, setStarted] = useState<Started | null>(null);
  const channel = useChannel(started?.name ?? null, generationReducer);
  const start = useMutation({ mutationFn: order, onSuccess: setStarted });
  const cancel = useMutation({ mutationFn: cancelGeneration });
  const writing = started !== null && !isEnded(channel.state) && channel.status !== "refused";
  const problem: Problem | undefined =
    (start.error && asProblem(start.error)) ??
    channel.state.problem ??
    (isEnded(channel.state) ? undefined : channel.problem) ??
    (cancel.error && writing ? asProblem(cancel.error) : undefined);
  const stop = () => {
    if (started !== null && writing) cancel.mutate(started.name);
  };
  return {
    started,
    state: channel.state,
    starting: start.isPending,
    writing,
    problem,
    generate: (asked: LoadedModel, settings: GenerationSettings) => {
      stop();
      start.mutate({ asked, settings });
    },
    cancel: stop,
  };
}

export type Writing = ReturnType<typeof useGeneration>;

export async function order({ asked, settings }: Order): Promise<Started> {
  const request = toRequest(asked.name, settings);
  if (isSettingsError(request)) throw new Error(request.text);
  const generation = await withModel(asked, () => createGeneration(request));
  return { name: generation.name, model: asked.name, step: asked.step, settings };
}
