// Where a run is started from; with ?from=<run> the form begins as a copy of that run.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { corporaQuery } from "@/api/corpora";
import { presetsQuery } from "@/api/presets";
import { asProblem } from "@/api/problem";
import { runQuery } from "@/api/runs";
import type { Run } from "@/gen/lab/v1/run_pb";
import type { Preset } from "@/gen/lab/v1/trainer_service_pb";
import { draftOfSpec, type Draft } from "@/features/new-run/draft";
import { NewRunForm } from "@/features/new-run/new-run-form";
import { Button } from "@/ui/button";
import { EmptyState } from "@/ui/empty-state";
import { ProblemNotice } from "@/ui/problem-notice";

export function NewRunPage() {
  const navigate = useNavigate();
  const [address] = useSearchParams();
  const from = address.get("from");
  const presets = useQuery(presetsQuery);
  const corpora = useQuery(corporaQuery);
  const copied = useQuery({ ...runQuery(`runs/${from ?? ""}`), enabled: from !== null });
  const begin = useMemo(
    () => (presets.data && copied.data ? copyOf(copied.data, presets.data) : undefined),
    [presets.data, copied.data],
  );
  const error = presets.error ?? corpora.error ?? copied.error;
  if (error) {
    const again = () => {
      void presets.refetch();
      void corpora.refetch();
      if (from !== null) void copied.refetch();
    };
    return (
      <ProblemNotice
        problem={asProblem(error)}
        action={<Button onClick={again}>Try again</Button>}
      />
    );
  }
  if (!presets.data || !corpora.data || (from !== null && !begin)) {
    return <EmptyState page title="Waiting for the presets" />;
  }
  return (
    <>
      <h1 className="visually-hidden">New run</h1>
      <NewRunForm
        key={from ?? ""}
        presets={presets.data}
        corpora={corpora.data}
        begin={begin}
        onStarted={(name) => void navigate(`/${name}`)}
      />
    </>
  );
}

function copyOf(run: Run, presets: readonly Preset[]): Draft | undefined {
  const preset = presets.find(({ name }) => name === run.preset) ?? presets[0];
  if (!preset) return undefined;
  return {
    ...draftOfSpec(preset, run.spec),
    displayName: `Copy of ${run.displayName}`.slice(0, 200),
    tags: run.tags.join(", "),
  };
}
