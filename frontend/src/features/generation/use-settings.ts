// The settings of the page: the pane writes with them, and so does the timeline.
import { create } from "zustand";
import { DEFAULT_SETTINGS, type GenerationSettings } from "./generation-settings";

interface HeldSettings {
  readonly settings: GenerationSettings;
  readonly set: (change: Partial<GenerationSettings>) => void;
}

export const useSettings = create<HeldSettings>()((set) => ({
  settings: DEFAULT_SETTINGS,
  set: (change) => set(({ settings }) => ({ settings: { ...settings, ...change } })),
}));

/** With a seed in any case: what is to be compared needs the same dice. */
export function seeded(settings: GenerationSettings): GenerationSettings {
  if (settings.seed !== "") return settings;
  const [drawn = 0] = crypto.getRandomValues(new Uint32Array(1));
  return { ...settings, seed: String(drawn) };
}
