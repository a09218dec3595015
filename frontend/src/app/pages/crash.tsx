// A page that failed to load or to render. The rest of the dashboard stays usable.
import { useRouteError } from "react-router";
import { asProblem } from "@/api/problem";
import { Button } from "@/ui/button";
import { ProblemNotice } from "@/ui/problem-notice";

export function CrashPage() {
  const problem = asProblem(useRouteError());
  return (
    <ProblemNotice
      problem={problem}
      action={<Button onClick={() => location.reload()}>Reload this page</Button>}
    />
  );
}
