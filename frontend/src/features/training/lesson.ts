// What the numbers of a run mean: definition, formula, what to look for. Prose, kept apart from the code that shows it.
export const DEFINITIONS = {
  loss: "Mean cross-entropy of this step's batch before its update, −mean ln p(next token), in nats per token. Lower is better; ln 50,257 = 10.82 is guessing blindly.",
  perplexity:
    "e to the loss: as if the model were choosing evenly among this many tokens at every place.",
  validation:
    "Loss on text kept aside and never trained on. When it rises while the training loss falls, the model is memorising.",
  bitsPerByte:
    "Validation loss × tokens ÷ (ln 2 × bytes): bits to write down one byte of that text. Unlike the loss it compares models of any tokenizer; gzip needs about 3.",
  learningRate:
    "How far the optimizer moves along its direction in this step: warm-up first, then the schedule, times the scale if it was changed. Dashed: what is planned.",
  gradNorm:
    "Length of the gradient of all weights together, √Σg², before clipping. Spikes mean a surprising batch or a learning rate that is too high; slow growth often comes before trouble.",
  speed:
    "Tokens trained on per second over the last steps; pauses, evaluations and samples left out. Falling for no reason: another program wants the processor.",
  stepTime: "How long the newest step took: forward, backward and update.",
  memory:
    "Resident memory of the training process, everything included. It should be flat; steady growth is a leak.",
  lossChart:
    "Faint: the loss of each batch. Bold: its debiased exponential average. Diamonds: loss on text kept aside, as measured. Dashed: a blind guess, ln V, and the unigram entropy, what counting words without reading would reach. A run that stays at the unigram line does not use its context.",
  samples:
    "What the model writes at intervals, from the same prompts. Marked: where a text departs from the one before it.",
  health:
    "One row a tensor, one column a measured step. The update ratio, RMS of the update ÷ RMS of the weights, is healthy near 10⁻³; a row that changes colour before the others broke first.",
  live: "Changes take effect at the next step boundary, are written into the log, and stay with the run when it is resumed. The spec stays as it was.",
} as const;
