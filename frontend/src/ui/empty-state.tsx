// What stands where nothing is yet, and what to do next.
import type { ReactNode } from "react";
import styles from "./empty-state.module.css";

export function EmptyState({
  title,
  children,
  action,
  page = false,
}: {
  title: string;
  children?: ReactNode;
  /** It is all that the page shows, so its title is the page's. */
  page?: boolean;
  action?: ReactNode;
}) {
  const Title = page ? "h1" : "strong";
  return (
    <div className={styles["empty"]} data-testid="empty-state">
      <Title>{title}</Title>
      {children !== undefined && <p>{children}</p>}
      {action}
    </div>
  );
}
