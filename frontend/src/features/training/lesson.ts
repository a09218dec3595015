// What the numbers of a run mean. Prose, kept apart from the code that shows it.
export const DEFINITIONS = {
  loss: "Mean cross-entropy of this step's batch before its update, in nats per token. Lower is better; ln 50,257 = 10.82 is guessing blindly.",
  perplexity:
    "e to the loss: as if the model were choosing evenly among this many tokens at every place.",
  validation:
    "Loss on text kept aside and never trained on. When it rises while the training loss falls, the model is memorising.",
  learningRate:
    "How far the optimizer moves along its direction in this step: warm-up first, then the schedule.",
  gradNorm:
    "Length of the gradient of all weights together, before clipping. Spikes mean a surprising batch or a learning rate that is too high.",
  speed:
    "Tokens trained on per second over the last steps; pauses, evaluations and samples left out.",
  stepTime: "How long the newest step took: forward, backward and update.",
  memory: "Resident memory of the training process, everything included.",
} as const;
