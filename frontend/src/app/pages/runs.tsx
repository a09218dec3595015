// All runs.
import { useRef, useState } from "react";
import { useNavigate } from "react-router";
import { runList } from "@/features/runs/run-list";
import { RunsTable } from "@/features/runs/runs-table";
import { runId } from "@/features/runs/state-name";
import { formatCount } from "@/lib/format";
import { useShortcut } from "@/lib/use-shortcut";
import { useChannel } from "@/live/use-channel";
import { Button } from "@/ui/button";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { TextInput } from "@/ui/text-input";
import { MOST_COMPARED } from "./compare-address";
import styles from "./runs.module.css";

export function RunsPage() {
  const { state: runs, problem } = useChannel("runs", runList);
  const [filter, setFilter] = useState("");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const filterField = useRef<HTMLInputElement>(null);
  useShortcut("/", "Filter the runs", () => filterField.current?.focus());
  const navigate = useNavigate();
  const there = chosen.filter((id) => runs?.some((run) => runId(run.name) === id));
  const choose = (id: string) =>
    setChosen(there.includes(id) ? there.filter((one) => one !== id) : [...there, id]);
  const newRun = (
    <Button kind="primary" onClick={() => void navigate("/runs/new")} data-testid="new-run">
      New run
    </Button>
  );
  return (
    <div className={styles["page"]}>
      <h1 className="visually-hidden">Runs</h1>
      {problem && <ProblemNotice problem={problem} />}
      <Panel
        flush
        title={runs === undefined ? "Runs" : `Runs (${formatCount(runs.length)})`}
        controls={
          <>
            <TextInput
              ref={filterField}
              className={styles["filter"]}
              type="search"
              placeholder="Filter by name, state, preset, corpus"
              aria-label="Filter runs"
              data-testid="runs-filter"
              value={filter}
              onChange={(event) => setFilter(event.target.value)}
            />
            <Button
              disabled={there.length < 2 || there.length > MOST_COMPARED}
              title={`Tick 2 to ${MOST_COMPARED} runs`}
              data-testid="compare"
              onClick={() => void navigate(`/compare?runs=${there.join(",")}`)}
            >
              Compare ({there.length})
            </Button>
            {newRun}
          </>
        }
      >
        {runs === undefined ? (
          <EmptyState title="Waiting for the list of runs" />
        ) : runs.length === 0 ? (
          <EmptyState title="No run yet" action={newRun}>
            A nano run on Tiny Shakespeare starts within seconds and learns while you watch. Choose
            a preset, press start, and the loss curve appears here.
          </EmptyState>
        ) : (
          <RunsTable runs={runs} filter={filter} chosen={there} onChoose={choose} />
        )}
      </Panel>
    </div>
  );
}
