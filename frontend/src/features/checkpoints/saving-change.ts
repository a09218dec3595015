// The saving policy as typed, and what of it is to be changed.
import type { Run } from "@/gen/lab/v1/run_pb";

export interface Policy {
  /** Steps, as text; "0" is off. */
  readonly every: string;
  readonly minutes: string;
  readonly logSpaced: boolean;
  readonly best: boolean;
  readonly onStop: boolean;
  /** Nothing that a resume or a fork would need. */
  readonly weightsOnly: boolean;
}

export interface SavingChange {
  checkpointEvery?: number;
  checkpointMinutes?: number;
  checkpointLogSpaced?: boolean;
  checkpointBest?: boolean;
  checkpointOnStop?: boolean;
  checkpointWeightsOnly?: boolean;
}

/** What holds now: what was changed while it trains, else its spec. */
export function policyOf({ live, spec }: Run): Policy {
  const hooks = spec?.hooks;
  return {
    every: String(live?.checkpointEvery ?? hooks?.checkpointEvery ?? 0),
    minutes: String(live?.checkpointMinutes ?? hooks?.checkpointMinutes ?? 0),
    logSpaced: live?.checkpointLogSpaced ?? hooks?.checkpointLogSpaced ?? false,
    best: live?.checkpointBest ?? hooks?.checkpointBest ?? false,
    onStop: live?.checkpointOnStop ?? hooks?.checkpointOnStop ?? false,
    weightsOnly: live?.checkpointWeightsOnly ?? hooks?.checkpointWeightsOnly ?? false,
  };
}

/** Only what differs, or why it cannot be sent. */
export function changeBetween(now: Policy, wanted: Policy): SavingChange | string {
  const change: SavingChange = {};
  if (wanted.every !== now.every) {
    if (!/^\d{1,9}$/.test(wanted.every.trim())) {
      return "The interval must be a whole number of steps; 0 turns it off.";
    }
    change.checkpointEvery = Number(wanted.every);
  }
  if (wanted.minutes !== now.minutes) {
    const minutes = Number(wanted.minutes);
    if (wanted.minutes.trim() === "" || !Number.isFinite(minutes)) {
      return "The minutes must be a number, as in 10; 0 turns it off.";
    }
    change.checkpointMinutes = minutes;
  }
  if (wanted.logSpaced !== now.logSpaced) change.checkpointLogSpaced = wanted.logSpaced;
  if (wanted.best !== now.best) change.checkpointBest = wanted.best;
  if (wanted.onStop !== now.onStop) change.checkpointOnStop = wanted.onStop;
  if (wanted.weightsOnly !== now.weightsOnly) change.checkpointWeightsOnly = wanted.weightsOnly;
  return change;
}

/** In words, for the line under the form. */
export function policyInWords(policy: Policy): string {
  const { every, minutes, logSpaced, best, onStop, weightsOnly } = policy;
  const rules = [
    Number(every) > 0 && `every ${every} steps`,
    Number(minutes) > 0 && `every ${minutes} minutes`,
    logSpaced && "after 1, 2, 4, 8 … steps",
    best && "at each new best validation loss",
    onStop && "when it ends",
  ].filter((rule) => rule !== false);
  if (rules.length === 0) return "Saving is off: nothing is written.";
  return `${weightsOnly ? "Weights only" : "Saved"} ${rules.join(", ")}.`;
}
