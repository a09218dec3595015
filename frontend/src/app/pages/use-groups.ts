// Which of the compared runs are drawn as one.
import { useMemo } from "react";
import { flatSpec } from "@/features/runs/flat-spec";
import type { ComparedCurve } from "@/features/training/compared";
import { groupCurves, type CurveGroup } from "@/features/training/grouped";
import type { Run } from "@/gen/lab/v1/run_pb";
import type { Grouping } from "./compare-address";
import type { Known } from "./compare-run";

/** undefined when each run stands for itself. */
export function useGroups(
  curves: readonly ComparedCurve[],
  known: ReadonlyMap<string, Known>,
  by: Grouping,
): readonly CurveGroup[] | undefined {
  return useMemo(() => {
    if (by === "none") return undefined;
    return groupCurves(curves, ({ name, label }) => {
      const run = known.get(name.slice("runs/".length))?.run;
      return run ? groupOf(run, by, label) : { key: name, label };
    });
  }, [curves, known, by]);
}

/** Equal keys make a group. */
export function groupOf(run: Run, by: "seed" | "tags", label: string) {
  if (by === "tags") {
    const tags = run.tags.join(", ");
    return { key: tags, label: tags === "" ? "without tags" : tags };
  }
  const spec = [...flatSpec(run.spec)].filter(([path]) => path !== "data.seed");
  return { key: JSON.stringify(spec), label: `${label} and other seeds` };
}
