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
interface Started {
  readonly name: string;
  readonly prompt: string;
  readonly step: number;
  readonly maxTokens: number;
}

export function useGeneration(model: LoadedModel | undefined) {
  const [started, setStarted] = useState<Started | null>(null);
  const channel = useChannel(started?.name ?? null, generationReducer);
  const start = useMutation({
    mutationFn: async ({
      asked,
      settings,
    }: {
      asked: LoadedModel;
      settings: GenerationSettings;
    }) => {
      const request = toRequest(asked.name, settings);
      if (isSettingsError(request)) throw new Error(request.text);
      const generation = await withModel(asked, () => createGeneration(request));
      return {
        name: generation.name,
        prompt: settings.prompt,
        step: asked.step,
        maxTokens: Number(settings.maxTokens),
      };
    },
    onMutate: () => setStarted(null),
    onSuccess: setStarted,
  });
  const cancel = useMutation({ mutationFn: cancelGeneration });
  const writing = started !== null && !isEnded(channel.state) && channel.status !== "refused";
  const problem: Problem | undefined =
    (start.error && asProblem(start.error)) ??
    channel.state.problem ??
    (isEnded(channel.state) ? undefined : channel.problem) ??
    (cancel.error && writing ? asProblem(cancel.error) : undefined);
  return {
    started,
    state: channel.state,
    starting: start.isPending,
    writing,
    problem,
    generate: (settings: GenerationSettings) => {
      if (model !== undefined) start.mutate({ asked: model, settings });
    },
    cancel: () => {
      if (started !== null) cancel.mutate(started.name);
    },
  };
}
