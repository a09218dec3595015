// The curves of the compared runs that are there: name, colour and series of each.
import { useMemo } from "react";
import type { ComparedCurve } from "@/features/training/compared";
import { runColorVariable } from "@/lib/colors";
import type { Known } from "./compare-run";

// A colour belongs to its run for ever, so two runs may share one; then dashes tell them apart.
const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 4], [9, 3, 2, 3]];

export function useCurves(
  runs: readonly string[],
  known: ReadonlyMap<string, Known>,
): readonly ComparedCurve[] {
  return useMemo(() => {
    const uses = new Map<string, number>();
    return runs.flatMap((id) => {
      const of = known.get(id);
      const name = `runs/${id}`;
      const color = runColorVariable(name);
      const use = uses.get(color) ?? 0;
      uses.set(color, use + 1);
      if (!of?.run) return [];
      const dash = DASHES[use % DASHES.length] ?? [];
      return [
        { name, label: of.run.displayName || id, color, dash, series: of.series, means: of.means },
      ];
    });
  }, [runs, known]);
}
