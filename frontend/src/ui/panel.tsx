// A titled box: hairline border, optional controls at the right of its title.
import { useId, type ReactNode, type Ref } from "react";
import { Explained } from "./explained";
import styles from "./panel.module.css";

export function Panel({
  title,
  controls,
  children,
  className,
  flush = false,
  definition,
  ref,
  "data-testid": testId,
}: {
  title?: ReactNode;
  controls?: ReactNode;
  children: ReactNode;
  className?: string;
  /** No padding, for tables and canvases that go to the edge. */
  flush?: boolean;
  /** What is shown here, how it is computed and what to look for; told on hover or focus of the title. */
  definition?: ReactNode;
  ref?: Ref<HTMLElement>;
  "data-testid"?: string;
}) {
  const titleId = useId();
  return (
    <section
      ref={ref}
      className={[styles["panel"], className].filter(Boolean).join(" ")}
      aria-labelledby={title === undefined ? undefined : titleId}
      data-testid={testId}
    >
      {title !== undefined && (
        <header className={styles["header"]}>
          <h2 id={titleId}>
            {definition === undefined ? title : <Explained as={definition}>{title}</Explained>}
          </h2>
          {controls !== undefined && <div className={styles["controls"]}>{controls}</div>}
        </header>
      )}
      <div className={flush ? styles["flush"] : styles["body"]}>{children}</div>
    </section>
  );
}
