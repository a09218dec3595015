// Where a run is started from.
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { corporaQuery } from "@/api/corpora";
import { presetsQuery } from "@/api/presets";
import { asProblem } from "@/api/problem";
import { NewRunForm } from "@/features/new-run/new-run-form";
import { Button } from "@/ui/button";
import { EmptyState } from "@/ui/empty-state";
import { ProblemNotice } from "@/ui/problem-notice";

export function NewRunPage() {
  const navigate = useNavigate();
  const presets = useQuery(presetsQuery);
  const corpora = useQuery(corporaQuery);
  const error = presets.error ?? corpora.error;
  if (error) {
    const again = () => {
      void presets.refetch();
      void corpora.refetch();
    };
    return (
      <ProblemNotice
        problem={asProblem(error)}
        action={<Button onClick={again}>Try again</Button>}
      />
    );
  }
  if (!presets.data || !corpora.data) return <EmptyState title="Waiting for the presets" />;
  return (
    <>
      <h1 className="visually-hidden">New run</h1>
      <NewRunForm
        presets={presets.data}
        corpora={corpora.data}
        onStarted={(name) => void navigate(`/${name}`)}
      />
    </>
  );
}
