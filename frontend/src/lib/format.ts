// Numbers as people read them. One rule per quantity, so that the same value looks the same on every screen.
const ABSENT = "–";
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

type Maybe = number | bigint | undefined;

function finite(value: Maybe): number | undefined {
  if (value === undefined) return undefined;
  return Number(value);
}

function special(value: number | undefined): string | undefined {
  if (value === undefined) return ABSENT;
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "∞";
  if (value === -Infinity) return "−∞";
  return undefined;
}

/** 1,204 */
export function formatCount(value: Maybe): string {
  const number = finite(value);
  return special(number) ?? grouped.format(number ?? 0);
}

/** 3.412 */
export function formatLoss(value: Maybe): string {
  const number = finite(value);
  return special(number) ?? (number ?? 0).toFixed(3);
}

/** e to the loss: 30.3, 412, 50,257 */
export function formatPerplexity(loss: Maybe): string {
  const number = finite(loss);
  const odd = special(number);
  if (odd !== undefined) return odd;
  const perplexity = Math.exp(number ?? 0);
  if (!Number.isFinite(perplexity)) return "∞";
  return perplexity < 100 ? perplexity.toFixed(1) : shortOrGrouped(perplexity);
}

function shortOrGrouped(value: number): string {
  return value < 1e6 ? grouped.format(value) : formatShort(value);
}

/** 9.94M, 51.2M, 124M, 5.15k, 812 */
export function formatShort(value: Maybe): string {
  const number = finite(value);
  const odd = special(number);
  if (odd !== undefined) return odd;
  const size = Math.abs(number ?? 0);
  for (const [factor, suffix] of [
    [1e12, "T"],
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    // 999,950 would read "1000k" at three digits, so the next unit begins where rounding would reach it
    if (size >= factor * 0.9995) return threeDigits((number ?? 0) / factor) + suffix;
  }
  return Number.isInteger(number) ? String(number) : threeDigits(number ?? 0);
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  return size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** 124.4M where a tenth of a million matters, as in the size of a preset. */
export function formatParameters(value: Maybe): string {
  const number = finite(value);
  const odd = special(number);
  if (odd !== undefined) return odd;
  if ((number ?? 0) >= 1e8 && (number ?? 0) < 1e9) return `${((number ?? 0) / 1e6).toFixed(1)}M`;
  return formatShort(number);
}

/** 6.0e-4 */
export function formatLearningRate(value: Maybe): string {
  const number = finite(value);
  const odd = special(number);
  if (odd !== undefined) return odd;
  return number === 0 ? "0" : (number ?? 0).toExponential(1).replace("e+", "e");
}

/** 0.81, 12.3, 1,204; small ones keep two digits that mean something */
export function formatNumber(value: Maybe): string {
  const number = finite(value);
  const odd = special(number);
  if (odd !== undefined) return odd;
  const size = Math.abs(number ?? 0);
  if (size === 0) return "0";
  if (size < 0.001 || size >= 1e6) return (number ?? 0).toExponential(1).replace("e+", "e");
  if (size < 0.1) return (number ?? 0).toPrecision(2);
  if (size < 10) return (number ?? 0).toFixed(2);
  return size < 1000 ? (number ?? 0).toFixed(1) : grouped.format(number ?? 0);
}

/** 1.1 GiB */
export function formatBytes(value: Maybe): string {
  const number = finite(value);
  const odd = special(number);
  if (odd !== undefined) return odd;
  let size = number ?? 0;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (size >= 1023.5 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const text = unit === 0 || size >= 99.95 ? size.toFixed(0) : size.toFixed(1);
  return `${text} ${units[unit] ?? ""}`;
}

/** 29 m 12 s, 3 h 04 m, 12 s, 0.4 s */
export function formatDuration(secs: Maybe): string {
  const number = finite(secs);
  const odd = special(number);
  if (odd !== undefined) return odd;
  const total = Math.max(0, number ?? 0);
  if (total > 0 && total < 9.95) return `${total.toFixed(1)} s`;
  const whole = Math.round(total);
  if (whole < 60) return `${whole} s`;
  const two = (part: number) => String(part).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86_400)
    return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
  return `${Math.floor(whole / 86_400)} d ${two(Math.floor((whole % 86_400) / 3600))} h`;
}

/** 412 ms, 1.24 s: how long one step takes */
export function formatStepTime(secs: Maybe): string {
  const number = finite(secs);
  const odd = special(number);
  if (odd !== undefined) return odd;
  const millis = (number ?? 0) * 1000;
  if (millis < 9.95) return `${millis.toFixed(1)} ms`;
  return millis < 999.5 ? `${millis.toFixed(0)} ms` : `${(millis / 1000).toFixed(2)} s`;
}

/** just now, 12 s ago, 5 m ago, 3 h ago, 2 d ago */
export function formatAge(secs: number): string {
  if (secs < 5) return "just now";
  if (secs < 60) return `${Math.floor(secs)} s ago`;
  if (secs < 3600) return `${Math.floor(secs / 60)} m ago`;
  if (secs < 86_400) return `${Math.floor(secs / 3600)} h ago`;
  return `${Math.floor(secs / 86_400)} d ago`;
}

/** 24 % */
export function formatShare(share: Maybe): string {
  const number = finite(share);
  return special(number) ?? `${Math.round((number ?? 0) * 100)} %`;
}

/** 12.5 %, 1.5 %, 0.0017 %: of a young model's 50,257 tokens the likeliest has little, so two digits that count. */
export function formatProbability(probability: Maybe): string {
  const number = finite(probability);
  const percent = (number ?? 0) * 100;
  if (percent > 0 && percent < 0.0001) return "<0.0001 %";
  const digits = percent >= 10 ? percent.toFixed(1) : String(Number(percent.toPrecision(2)));
  return special(number) ?? `${digits} %`;
}

/** A tick with as many decimals as tell it from its neighbour: 10, 10.5, 10.825 */
export function formatTick(value: number, distance: number): string {
  const decimals = Number.isFinite(distance) && distance > 0 ? Math.ceil(-Math.log10(distance)) : 2;
  return value.toFixed(Math.min(6, Math.max(0, decimals)));
}
