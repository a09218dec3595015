// Which run a fork comes from, and at which step it left it.
import { Link } from "react-router";
import type { RunParent } from "@/gen/lab/v1/run_pb";
import { formatCount } from "@/lib/format";
import styles from "./run-parent.module.css";
import { runId } from "./state-name";

export function ParentLink({
  parent,
  gone,
}: {
  parent: RunParent;
  /** It was deleted, and what it recorded with it. */
  gone: boolean;
}) {
  const id = runId(parent.run);
  return (
    <span className={styles["parent"]} data-testid="run-parent">
      fork of {gone ? `${id}, deleted since,` : <Link to={`/${parent.run}`}>{id}</Link>} at step{" "}
      {formatCount(parent.step)}
    </span>
  );
}
