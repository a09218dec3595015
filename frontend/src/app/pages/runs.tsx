// All runs.
import { useRef, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { ColumnsMenu } from "@/features/runs/columns-menu";
import { runList } from "@/features/runs/run-list";
import { RunTrash, UndoDeleteRun } from "@/features/runs/run-trash";
import { RunsTable } from "@/features/runs/runs-table";
import { isSortKey, type Order } from "@/features/runs/sort-runs";
import { runId } from "@/features/runs/state-name";
import type { Run } from "@/gen/lab/v1/run_pb";
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
import { StartFirstRun } from "./start-first-run";

export function RunsPage() {
  const { state: runs, problem } = useChannel("runs", runList);
  const [address, setAddress] = useSearchParams();
  const filter = address.get("q") ?? "";
  const order = orderOf(address);
  const change = (name: string, value: string) =>
    setAddress(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === "") next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  const setFilter = (text: string) => change("q", text);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [deleted, setDeleted] = useState<Run>();
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
              placeholder="Filter by name, tag, state, corpus"
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
            <ColumnsMenu />
            {newRun}
          </>
        }
      >
        {deleted && !runs?.some((run) => run.name === deleted.name) && (
          <UndoDeleteRun
            key={deleted.name}
            deleted={deleted}
            onDone={() => setDeleted(undefined)}
          />
        )}
        {runs === undefined ? (
          <EmptyState title="Waiting for the list of runs">
            {problem && (
              <>
                It is shown as soon as the trainer answers; runs that train may go on meanwhile.{" "}
                <Link to="/system">System</Link> shows how each process is.
              </>
            )}
          </EmptyState>
        ) : runs.length === 0 ? (
          <EmptyState
            title="No run yet"
            action={
              <>
                <StartFirstRun /> <Link to="/runs/new">Set up a run yourself</Link>
              </>
            }
          >
            A nano run on Tiny Shakespeare starts within seconds and learns while you watch: the
            curve falls, the samples become words, and you look inside the model while it trains.
          </EmptyState>
        ) : (
          <RunsTable
            runs={runs}
            filter={filter}
            order={order}
            chosen={there}
            onChoose={choose}
            onOrder={({ key, descending }) => change("sort", `${descending ? "-" : ""}${key}`)}
            onTag={setFilter}
            onDeleted={setDeleted}
          />
        )}
      </Panel>
      {runs !== undefined && <RunTrash listed={runs.length} />}
    </div>
  );
}

/** "sort=-loss" is by loss, largest first. The newest run is on top at first. */
function orderOf(address: URLSearchParams): Order {
  const text = address.get("sort") ?? "age";
  const key = text.replace(/^-/, "");
  return isSortKey(key)
    ? { key, descending: text.startsWith("-") }
    : { key: "age", descending: false };
}
