// A few numbers as bars from the left, each between its name and what it is.
import styles from "./bars.module.css";

export interface Bar {
  readonly key: string | number;
  readonly name: string;
  /** Of the track, 0 to 1. */
  readonly share: number;
  readonly value: string;
  readonly title?: string;
}

export function Bars({
  bars,
  label,
  tokens = false,
  "data-testid": testId,
}: {
  /** An empty row where there is none yet. */
  bars: readonly (Bar | undefined)[];
  label: string;
  /** Whether the names are tokens. */
  tokens?: boolean;
  "data-testid"?: string;
}) {
  const Name = tokens ? "code" : "span";
  return (
    <ol className={styles["bars"]} aria-label={label} data-testid={testId}>
      {bars.map((bar, place) => (
        <li key={bar?.key ?? `empty ${place}`}>
          {bar && (
            <>
              <Name className={styles["name"]} title={bar.title}>
                {bar.name}
              </Name>
              <span className={styles["track"]}>
                <i style={{ width: `${100 * Math.min(1, Math.max(0, bar.share))}%` }} />
              </span>
              <span className={styles["value"]}>{bar.value}</span>
            </>
          )}
        </li>
      ))}
    </ol>
  );
}
