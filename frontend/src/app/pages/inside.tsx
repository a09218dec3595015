// A look inside a model: what its heads attend to, and what it writes. The whole view lives in the address.
import { useEffect } from "react";
import { Link } from "react-router";
import { asProblem } from "@/api/problem";
import { idOf } from "@/features/attention/model-source";
import { placeOf } from "@/features/checkpoints/checkpoint-name";
import { useCheckpoints } from "@/features/checkpoints/use-checkpoints";
import { runList } from "@/features/runs/run-list";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import { useChannel } from "@/live/use-channel";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import { useInsideAddress } from "./inside-address";
import { InsideRun } from "./inside-run";

export function InsidePage() {
  const { state: runs, problem } = useChannel("runs", runList);
  const checkpoints = useCheckpoints();
  const [address, go] = useInsideAddress();
  const runId = address.run ?? defaultRun(runs ?? []);
  useEffect(() => {
    // Once chosen it stays: a run that starts later must not take the page over.
    if (address.run === null && runId !== null) go({ run: runId });
  }, [address.run, runId, go]);

  // While it is asked for again, what can be seen without it is shown: what runs, and what it recorded.
  const unlisted = checkpoints.error ?? checkpoints.failureReason;
  const listed = !checkpoints.isPending || unlisted !== null;
  const saved = (checkpoints.data ?? []).filter((one) => placeOf(one.name).run === runId);
  const known = saved.length > 0 || (runs ?? []).some((one) => idOf(one.name) === runId);
  const unknown = runs !== undefined && checkpoints.data !== undefined && !known;

  return (
    <>
      <h1 className="visually-hidden">Inside</h1>
      {problem && <ProblemNotice problem={problem} />}
      {unlisted !== null && (
        <ProblemNotice problem={{ ...asProblem(unlisted), title: "No list of checkpoints" }} />
      )}
      {(runs === undefined || !listed) && (
        <Panel>
          <EmptyState
            title={`Waiting for the list of ${runs === undefined ? "runs" : "checkpoints"}`}
          >
            {problem && (
              <>
                It is shown as soon as the trainer answers. <Link to="/system">System</Link> shows
                how each process is.
              </>
            )}
          </EmptyState>
        </Panel>
      )}
      {runs !== undefined && runId === null && (
        <Panel>
          <EmptyState title="No model yet" action={<Link to="/runs/new">Start a run</Link>}>
            Start a run, then look inside it while it learns. Nothing needs to be saved for that.
          </EmptyState>
        </Panel>
      )}
      {runId !== null && unknown && (
        <Panel>
          <EmptyState title="No such run" action={<Link to="/runs">All runs</Link>}>
            Neither a run <code>{runId}</code> nor a checkpoint of one is there. Deleted runs wait
            in the trash under all runs.
          </EmptyState>
        </Panel>
      )}
      {runs !== undefined && runId !== null && listed && !unknown && (
        // Another run is another place: nothing of the old one stays on screen.
        <InsideRun
          key={runId}
          runId={runId}
          runs={runs}
          checkpoints={saved}
          address={address}
          go={go}
        />
      )}
    </>
  );
}

/** One in training if there is one, else the newest. */
function defaultRun(runs: readonly Run[]): string | null {
  const run = runs.find((one) => one.state === RunState.RUNNING) ?? runs[0];
  return run === undefined ? null : idOf(run.name);
}
