// What the losses of single tokens mean.
export const DEFINITIONS = {
  losses:
    "Loss of each token of a fixed text, −ln p(token | tokens before), in nats, at every step the run looked at it. A row that turns dark is a token that was learned. A low loss on one text is not understanding: common tokens come first, because counting is enough for them.",
  acquired:
    "Learned at: the first step from which on the loss stays below ½ (ln V + its lowest), half way between a blind guess and the best it ever got (Chang and Bergen, 2022). A token that was forgotten again has none.",
} as const;
