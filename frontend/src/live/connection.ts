// How the connection is doing, as the status at the top of every page shows it.
export type Connection =
  | { state: "connecting" }
  | { state: "live"; session: string }
  | { state: "reconnecting"; reason: string; staleSinceMs: number; nextTryAtMs: number }
  | { state: "refused"; reason: string };

/** How old facts are when they reach the screen, over the newest of them. */
export class LatencyWindow {
  private readonly ages = new Float64Array(128);
  private count = 0;

  add(ageMs: number): void {
    this.ages[this.count % this.ages.length] = Math.max(0, ageMs);
    this.count += 1;
  }

  clear(): void {
    this.count = 0;
  }

  get size(): number {
    return Math.min(this.count, this.ages.length);
  }

  /** `share` 0.5 is the median; undefined before the first fact. */
  quantile(share: number): number | undefined {
    if (this.size === 0) return undefined;
    const sorted = this.ages.slice(0, this.size).sort();
    return sorted[Math.min(this.size - 1, Math.floor(share * this.size))];
  }
}

/**
 * How far the server's clock is ahead, given what it said between a question and its answer. A time inside that span fits
 * equal clocks, so nothing is corrected; outside, only as much as is certain.
 */
export function clockSkewMs(serverMs: number, askedMs: number, answeredMs: number): number {
  if (serverMs < askedMs) return serverMs - askedMs;
  return serverMs > answeredMs ? serverMs - answeredMs : 0;
}
