// The live channel of a generation, folded into its state.
import type { ChannelReducer } from "@/live/channel";
import {
  EMPTY_GENERATION,
  fromSnapshot,
  withPublication,
  type GenerationState,
} from "./generation-state";

export const generationReducer: ChannelReducer<GenerationState> = {
  initial: () => EMPTY_GENERATION,
  snapshot: (_, snapshot) => fromSnapshot(snapshot),
  publication: withPublication,
};
