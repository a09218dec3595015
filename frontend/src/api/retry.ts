// When a request is worth repeating by itself: the lab or one of its processes is away, and comes back by itself.
import { ProblemError } from "./problem";

const AWAY_STATUS = 502;

/** How often someone who waits for an answer asks again. */
export const ASK_AGAIN_MS = 2_000;

/** For a query's `retry`: as long as someone waits, but never against a refusal. */
export function whileAway(_failures: number, error: Error): boolean {
  if (!(error instanceof ProblemError)) return false;
  const { status } = error.problem;
  return status === 0 || (status >= AWAY_STATUS && status <= 504);
}
