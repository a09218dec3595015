// What will go wrong or is not what it seems, each with the change that would help.
import type { PreflightProblem } from "@/gen/lab/v1/preflight_pb";
import { Button } from "@/ui/button";
import styles from "./preflight-problems.module.css";

export function PreflightProblems({
  problems,
  onFix,
}: {
  problems: readonly PreflightProblem[];
  onFix: (remedy: string) => void;
}) {
  if (problems.length === 0) return null;
  return (
    <ul
      className={styles["problems"]}
      data-testid="preflight-problems"
      aria-label="Worth a thought"
    >
      {problems.map(({ field, description, remedy }) => (
        <li key={`${field} ${description}`}>
          <p>
            <code>{field}</code> {description}.
          </p>
          {remedy !== "" && (
            <Button onClick={() => onFix(remedy)} data-testid="preflight-fix">
              Set <code>{remedy.replace("=", " = ")}</code>
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}
