// In which settings runs differ; what is the same everywhere is left out.
import { useMemo } from "react";
import type { Run } from "@/gen/lab/v1/run_pb";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { flatSpec, specDifferences } from "./flat-spec";
import styles from "./spec-table.module.css";
import { runId } from "./state-name";

export function SpecTable({ runs }: { runs: readonly Run[] }) {
  const differences = useMemo(() => specDifferences(runs.map((run) => flatSpec(run.spec))), [runs]);
  return (
    <Panel title={`Settings that differ (${differences.length})`} flush>
      {differences.length === 0 ? (
        <EmptyState title={runs.length > 1 ? "Their specs are the same" : "One run alone"}>
          {runs.length > 1
            ? "Whatever differs between these runs came from the machine, not from their settings."
            : "Add another run to see what differs."}
        </EmptyState>
      ) : (
        <div className={styles["scroll"]} tabIndex={0} role="region" aria-label="Settings">
          <table className={styles["table"]} data-testid="spec-differences">
            <thead>
              <tr>
                <th scope="col">Setting</th>
                {runs.map((run) => (
                  <th key={run.name} scope="col">
                    {run.displayName || runId(run.name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {differences.map(({ path, values }) => (
                <tr key={path} data-path={path}>
                  <th scope="row">
                    <code>{path}</code>
                  </th>
                  {runs.map((run, i) => (
                    <td key={run.name}>
                      <code>{values[i] ?? "–"}</code>
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
