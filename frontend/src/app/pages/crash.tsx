// A page that failed to load or to render. The rest of the dashboard stays usable.
import { useRouteError } from "react-router";
import { asProblem, unreachable } from "@/api/problem";
import { Button } from "@/ui/button";
import { ProblemNotice } from "@/ui/problem-notice";

export function CrashPage() {
  const error = useRouteError();
  const problem = notLoaded(error) ? unreachable(location.pathname) : asProblem(error);
  return (
    <ProblemNotice
      problem={problem}
      action={<Button onClick={() => location.reload()}>Reload this page</Button>}
    />
  );
}

/** Each page is a file of its own, so a lab that is away shows itself when another page is opened. */
function notLoaded(error: unknown): boolean {
  return error instanceof Error && /preload CSS|dynamically imported module/i.test(error.message);
}
