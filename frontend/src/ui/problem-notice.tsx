// A refusal or failure in full: what happened, which fields, and under which id the log has it.
import type { ReactNode } from "react";
import styles from "./problem-notice.module.css";

/** The parts of lab.v1.Problem that people read; the message itself fits. */
export interface ProblemText {
  title: string;
  detail: string;
  violations: readonly { field: string; description: string }[];
  requestId: string;
}

export function ProblemNotice({ problem, action }: { problem: ProblemText; action?: ReactNode }) {
  return (
    <div className={styles["notice"]} role="alert" data-testid="problem">
      <strong>{problem.title}</strong>
      {saysMore(problem) && <p>{problem.detail}</p>}
      {problem.violations.length > 0 && (
        <ul>
          {problem.violations.map((violation) => (
            <li key={`${violation.field} ${violation.description}`}>
              <code>{violation.field}</code> {violation.description}
            </li>
          ))}
        </ul>
      )}
      {problem.requestId !== "" && (
        <p className={styles["request"]}>
          request <code>{problem.requestId}</code>
        </p>
      )}
      {action}
    </div>
  );
}

/** Whether the detail adds something to the title and the list of fields. */
function saysMore({ title, detail, violations }: ProblemText): boolean {
  const repeated =
    violations.length > 0 && violations.every(({ description }) => detail.includes(description));
  return detail !== "" && detail !== title && !repeated;
}
