// The inside of one run: its weights of this moment, or of one of its checkpoints.
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { AttentionExplorer } from "@/features/attention/attention-explorer";
import { sourceFor } from "@/features/attention/model-source";
import { SourcePicker } from "@/features/attention/source-picker";
import { useSourceModel } from "@/features/attention/use-source-model";
import { GenerationPane } from "@/features/generation/generation-pane";
import { StateBadge } from "@/features/runs/state-badge";
import { runId as idOfRun } from "@/features/runs/state-name";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { RunState, type Run } from "@/gen/lab/v1/run_pb";
import { Button } from "@/ui/button";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import type { Go, InsideAddress } from "./inside-address";
import styles from "./inside.module.css";

export function InsideRun({
  runId,
  runs,
  checkpoints,
  address,
  go,
}: {
  runId: string;
  runs: readonly Run[];
  /** Of this run, newest first. */
  checkpoints: readonly Checkpoint[];
  address: InsideAddress;
  go: Go;
}) {
  const [follow, setFollow] = useState(false);
  const run = runs.find((one) => idOfRun(one.name) === runId);
  const source = sourceFor(runId, {
    run,
    checkpoint: address.checkpoint,
    saved: checkpoints.map((one) => one.name),
  });
  // Following a run at rest would show the same weights again and again.
  const model = useSourceModel(source, { follow: follow && run?.state === RunState.RUNNING });
  const trouble = model.error ?? model.failureReason;
  const problem = trouble === null ? undefined : asProblem(trouble);
  const neverKept = source.kind === "last-peek" && problem?.reason === "NOT_FOUND";
  return (
    <div className={styles["page"]}>
      <div className={styles["source"]}>
        <SourcePicker
          runs={runs}
          runId={runId}
          checkpoints={checkpoints}
          checkpoint={address.checkpoint}
          source={source}
          model={model.data}
          looking={model.isFetching}
          follow={follow}
          onRun={(id) => go({ run: id, checkpoint: null })}
          onCheckpoint={(checkpoint) => go({ checkpoint })}
          onLookAgain={() => void model.refetch()}
          onFollow={setFollow}
          state={run && <StateBadge state={run.state} />}
        />
        {problem && !neverKept && (
          <ProblemNotice
            problem={problem}
            action={<Button onClick={() => void model.refetch()}>Try again</Button>}
          />
        )}
      </div>
      {neverKept && (
        <Panel className={styles["whole"] ?? ""}>
          <EmptyState title="This run's weights were not kept">
            Saving was off and nobody looked inside while it was in training. Look while a run
            trains, or let it save on stop.
          </EmptyState>
        </Panel>
      )}
      {(model.data !== undefined || problem === undefined) && (
        <>
          <AttentionExplorer
            model={model.data}
            spec={run?.spec?.model}
            text={address.text}
            layer={address.layer}
            head={address.head}
            onText={(text) => go({ text })}
            onHead={(layer, head) => go({ layer, head })}
            onReload={() => void model.refetch()}
          />
          <GenerationPane model={model.data} />
        </>
      )}
    </div>
  );
}
