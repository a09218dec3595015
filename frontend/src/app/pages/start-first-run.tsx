// From an empty lab to a moving curve with one press: a nano run on Tiny Shakespeare, with a guide beside it.
import { useState } from "react";
import { useNavigate } from "react-router";
import { asProblem } from "@/api/problem";
import { createRun } from "@/api/runs";
import { randomId } from "@/lib/random-id";
import { Button } from "@/ui/button";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";

export function StartFirstRun() {
  const navigate = useNavigate();
  const [requestId] = useState(randomId); // pressed twice it is still one run
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const start = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const run = await createRun({
        preset: "nano",
        requestId,
        displayName: "My first run",
        overrides: { data: { corpus: "tiny-shakespeare" }, hooks: { sampleEvery: 10 } },
      });
      await navigate(`/${run.name}?first=1`);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <>
      <Button kind="primary" busy={busy} data-testid="first-run" onClick={() => void start()}>
        Start a first run and show me around
      </Button>
      {problem && <ProblemNotice problem={problem} />}
    </>
  );
}
