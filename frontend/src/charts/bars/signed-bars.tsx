// Numbers of either sign as bars that grow from the middle: right and orange for more, left and purple for less.
import styles from "./signed-bars.module.css";

export interface SignedBar {
  readonly name: string;
  readonly value: number;
}

export function SignedBars({
  bars,
  most,
  format,
  label,
  chosen = null,
  onHover,
  "data-testid": testId,
}: {
  bars: readonly SignedBar[];
  /** What reaches the end of the track. */
  most: number;
  format: (value: number) => string;
  label: string;
  chosen?: number | null;
  onHover?: (index: number | null) => void;
  "data-testid"?: string;
}) {
  return (
    <ol
      className={styles["bars"]}
      aria-label={label}
      data-testid={testId}
      onPointerLeave={() => onHover?.(null)}
    >
      {bars.map(({ name, value }, index) => {
        const percent = Math.min(50, (Math.abs(value) / (most || 1)) * 50);
        const side = value < 0 ? { right: "50%" } : { left: "50%" };
        return (
          <li
            key={name}
            className={index === chosen ? styles["chosen"] : undefined}
            onPointerEnter={() => onHover?.(index)}
          >
            <span className={styles["name"]}>{name}</span>
            <span className={styles["track"]}>
              <i
                className={value < 0 ? styles["less"] : styles["more"]}
                style={{ width: `${percent}%`, ...side }}
              />
            </span>
            <span className={styles["value"]}>{signed(value, format)}</span>
          </li>
        );
      })}
    </ol>
  );
}

/** "+0.41", "−1.20", "0" */
export function signed(value: number, format: (value: number) => string): string {
  if (!(Math.abs(value) > 0)) return format(value);
  return (value < 0 ? "−" : "+") + format(Math.abs(value));
}
