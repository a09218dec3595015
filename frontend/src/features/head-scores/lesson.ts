// What the scores of a head mean.
export const CAVEAT =
  "A score says where a head looks, not what it does or whether it matters. A head has a name only if the share above chance, (s − u) ÷ (1 − u) with u what attention spread evenly would score, is at least 0.4; on random tokens and on real text, or else it is marked as synthetic only. Anything less is unlabelled.";

export const MEASURES = {
  previous: "Share of attention on the token just before.",
  duplicate: "Share of attention on the earlier place of the same token.",
  induction:
    "Share of attention on the token that came after the earlier place of the same token: how a model copies what followed last time (Olsson et al., 2022). It needs two layers.",
  sink: "Share of attention on the first token, where heads put what they have no use for.",
  self: "Share of attention on the token itself.",
  entropy:
    "How evenly attention is spread, as a share of the most there could be: −Σ a ln a ÷ ln(q + 1).",
  distance: "How many tokens back attention reaches on average, Σ a (q − k).",
} as const;

/** Those that a head can be named after, in the order of lab.analysis.head_scores. */
export const BEHAVIOURS = ["previous", "duplicate", "induction", "sink", "self"];

export type Measure = keyof typeof MEASURES;

export const VARIANTS = {
  corrected: "above chance",
  raw: "raw share",
  sinkFree: "without the sink",
} as const;

export type Variant = keyof typeof VARIANTS;
