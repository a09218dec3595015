// When to try again after the socket closed, and when not to.
import { CloseCode } from "@/gen/lab/v1/live_pb";

export const FIRST_DELAY_MS = 300;
export const LONGEST_DELAY_MS = 15_000;

/**
 * Full jitter: anywhere between nothing and the ceiling of this attempt, so that a gateway that comes back is not met by
 * all its clients at once. `attempt` counts from 0; `random` is in [0, 1).
 */
export function reconnectDelayMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling * random);
}

/** Codes 4400 to 4499 say that coming back would change nothing. */
export function mayReconnect(code: number): boolean {
  return code < 4400 || code > 4499;
}

const REASONS = new Map<number, string>([
  [CloseCode.SHUTDOWN, "the gateway is restarting"],
  [CloseCode.SLOW, "this tab read too slowly"],
  [CloseCode.BAD_FRAME, "the gateway could not read what this page sent; reload the page"],
  [CloseCode.PROTOCOL_MISMATCH, "the lab was updated; reload the page"],
  [CloseCode.TOO_MANY, "too much was asked for from this tab; close other tabs and reload"],
]);

/** What a close means, for people. */
export function closeReason(code: number, reason: string): string {
  return reason || (REASONS.get(code) ?? "the connection was lost");
}
