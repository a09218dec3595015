// From a health value to a colour. The update ratio has a healthy middle, so its colours part around it.
import { rgb } from "d3-color";
import { interpolatePuOr, interpolateViridis } from "d3-scale-chromatic";

export interface HealthMetric {
  metric: string;
  label: string;
  definition: string;
  /** Whether powers of ten count rather than amounts. */
  log: boolean;
  /** The healthy value, where there is one. */
  middle?: number;
}

export const HEALTH_METRICS: readonly HealthMetric[] = [
  {
    metric: "update_ratio",
    label: "update ÷ weight",
    definition:
      "RMS of an update ÷ RMS of the weights it changes. Near 0.001 is healthy; a hundred times more tears the model apart, a hundred times less teaches it nothing.",
    log: true,
    middle: 1e-3,
  },
  {
    metric: "gradient_rms",
    label: "gradient",
    definition:
      "RMS of each tensor's gradient before clipping. A row that grows while others do not is where trouble starts.",
    log: true,
  },
  {
    metric: "weight_rms",
    label: "weight",
    definition: "RMS of each tensor. Slow growth is normal; a jump is not.",
    log: true,
  },
  {
    metric: "update_rms",
    label: "update",
    definition: "RMS of what one step changed each tensor by.",
    log: true,
  },
  {
    metric: "residual_rms",
    label: "activation",
    definition:
      "RMS of the residual stream after each layer. It grows with depth; growth over time without end is a warning.",
    log: true,
  },
  {
    metric: "attention_entropy",
    label: "attention entropy",
    definition:
      "How evenly heads spread their attention, 1 is evenly. A layer that falls to near 0 and stays has collapsed.",
    log: false,
  },
  {
    metric: "largest_logit",
    label: "largest attention score",
    definition:
      "The largest score of a query and a key before the softmax. Growth without end comes before collapse.",
    log: true,
  },
  {
    metric: "dead_units",
    label: "dead units",
    definition: "Share of feed-forward units that are near 0 for every token that was looked at.",
    log: false,
  },
];

const DECADES_BESIDE_MIDDLE = 2;

export interface HealthScale {
  low: number;
  high: number;
  /** 0 at low, 1 at high, clamped; NaN where there is no number. */
  share: (value: number) => number;
  css: (share: number) => string;
}

export function scaleOf({ log, middle }: HealthMetric, values: Float32Array): HealthScale {
  const place = (value: number) => (log ? (value > 0 ? Math.log10(value) : NaN) : value);
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    const at = place(value);
    if (!Number.isFinite(at)) continue;
    low = Math.min(low, at);
    high = Math.max(high, at);
  }
  if (middle !== undefined) {
    // The same width on both sides, whatever was measured: healthy is always the same colour.
    low = Math.log10(middle) - DECADES_BESIDE_MIDDLE;
    high = Math.log10(middle) + DECADES_BESIDE_MIDDLE;
  }
  if (low > high) [low, high] = [0, 1];
  const span = high - low || 1;
  const back = (at: number) => (log ? 10 ** at : at);
  return {
    low: back(low),
    high: back(high),
    share: (value) => Math.min(1, Math.max(0, (place(value) - low) / span)),
    css: middle === undefined ? interpolateViridis : (share) => interpolatePuOr(1 - share),
  };
}

const STEPS = 256;

/** Packed little-endian RGBA for each of 256 shares. */
export function pixelTable(scale: HealthScale): Uint32Array {
  return Uint32Array.from({ length: STEPS }, (_, index) => {
    const { r, g, b } = rgb(scale.css(index / (STEPS - 1)));
    return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
  });
}

export function pixelOf(table: Uint32Array, share: number): number {
  return Number.isNaN(share) ? 0 : (table[Math.round(share * (STEPS - 1))] ?? 0);
}
