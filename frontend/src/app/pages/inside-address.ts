// The Inside page in the address: /inside?run=&at=&layer=&head=&text=&against=, so that a link restores the whole
// view. The step (at=) is the playhead's, see features/playhead; checkpoint= is what other pages link to.
import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";
import { againstOf, type Against } from "@/features/compare-models/against";

export interface InsideAddress {
  readonly run: string | null;
  readonly checkpoint: string | null;
  readonly layer: number;
  readonly head: number | "mean";
  readonly text: string;
  /** What is compared with: a saved step, the newest weights, or another run's checkpoint. */
  readonly against: Against | null;
}

export const DEFAULT_TEXT = "The cat sat on the mat because it was tired.";

export function readAddress(parameters: URLSearchParams): InsideAddress {
  const head = parameters.get("head");
  return {
    // Links may carry the full name.
    run: lastPart(parameters.get("run")),
    checkpoint: lastPart(parameters.get("checkpoint")),
    layer: wholeNumber(parameters.get("layer")),
    head: head === "mean" ? head : wholeNumber(head),
    text: parameters.get("text") ?? DEFAULT_TEXT,
    against: againstOf(parameters.get("against") ?? ""),
  };
}

export function writeAddress(
  parameters: URLSearchParams,
  change: Partial<InsideAddress>,
): URLSearchParams {
  const next = new URLSearchParams(parameters);
  for (const [name, value] of Object.entries<string | number | null>(change)) {
    if (value === null || (name === "text" && value === DEFAULT_TEXT)) next.delete(name);
    else next.set(name, String(value));
  }
  return next;
}

export type Go = (change: Partial<InsideAddress>) => void;

export function useInsideAddress(): [InsideAddress, Go] {
  const [parameters, setParameters] = useSearchParams();
  const address = useMemo(() => readAddress(parameters), [parameters]);
  const go = useCallback<Go>(
    // Moving from head to head is no step that the back button should retrace one by one.
    (change) => setParameters((held) => writeAddress(held, change), { replace: true }),
    [setParameters],
  );
  return [address, go];
}

function lastPart(value: string | null): string | null {
  return value === null || value === "" ? null : value.slice(value.lastIndexOf("/") + 1);
}

function wholeNumber(value: string | null): number {
  return value !== null && /^\d{1,4}$/.test(value) ? Number(value) : 0;
}
