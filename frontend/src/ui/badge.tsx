// A word with a shape and a colour, so that colour is never the only sign.
import type { ReactNode } from "react";
import styles from "./badge.module.css";

export type BadgeTone = "neutral" | "running" | "paused" | "failed" | "done";
export type BadgeShape = "dot" | "ring" | "play" | "bars" | "square" | "cross" | "check" | "bolt";

const PATHS: Record<BadgeShape, ReactNode> = {
  dot: <circle cx="5" cy="5" r="3.5" fill="currentColor" />,
  ring: <circle cx="5" cy="5" r="3.4" fill="none" stroke="currentColor" strokeWidth="1.6" />,
  play: <path d="M2 1l7 4-7 4z" fill="currentColor" />,
  bars: <path d="M2 1h2.4v8H2zM5.6 1H8v8H5.6z" fill="currentColor" />,
  square: <path d="M1.5 1.5h7v7h-7z" fill="currentColor" />,
  cross: <path d="M2 2l6 6M8 2l-6 6" stroke="currentColor" strokeWidth="2" />,
  check: <path d="M1.5 5.5l2.5 2.5L8.5 2" fill="none" stroke="currentColor" strokeWidth="2" />,
  bolt: <path d="M6 .5L1.8 5.8H5L4 9.5l4.2-5.3H5z" fill="currentColor" />,
};

export function Badge({
  tone = "neutral",
  shape = "dot",
  children,
  "data-testid": testId,
  "data-state": state,
}: {
  tone?: BadgeTone;
  shape?: BadgeShape;
  children: ReactNode;
  "data-testid"?: string;
  "data-state"?: string;
}) {
  return (
    <span
      className={[styles["badge"], styles[tone]].join(" ")}
      data-testid={testId}
      data-state={state}
    >
      <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
        {PATHS[shape]}
      </svg>
      {children}
    </span>
  );
}
