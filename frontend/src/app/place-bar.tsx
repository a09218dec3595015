// The places of the lab: a bar at the left, at the bottom of narrow screens.
import type { ReactNode } from "react";
import { NavLink } from "react-router";
import styles from "./place-bar.module.css";

const PLACES: readonly { to: string; word: string; icon: ReactNode }[] = [
  { to: "/runs", word: "Runs", icon: <path d="M3 4c1 7 4 11 14 12M3 16h14" /> },
  {
    to: "/inside",
    word: "Inside",
    icon: <path d="M3 3h4v4H3zM8 8h4v4H8zM13 13h4v4h-4zM3 8h4v4H3zM3 13h4v4H3zM8 13h4v4H8z" />,
  },
  {
    to: "/checkpoints",
    word: "Saved",
    icon: <path d="M4 3h10l3 3v11H4zM7 3v5h6V3M7 17v-5h7v5" />,
  },
  { to: "/text", word: "Text", icon: <path d="M3 5h14M3 9h14M3 13h9M3 17h6" /> },
  {
    to: "/system",
    word: "System",
    icon: <path d="M10 3v5M10 8l-6 5M10 8l6 5M8 2h4v3H8zM2 13h4v4H2zM14 13h4v4h-4z" />,
  },
];

export function PlaceBar() {
  return (
    <nav className={styles["bar"]} aria-label="Places">
      {PLACES.map(({ to, word, icon }) => (
        <NavLink key={to} to={to} className={styles["place"] ?? ""}>
          <svg
            width="20"
            height="20"
            viewBox="0 0 20 20"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.4"
            aria-hidden="true"
          >
            {icon}
          </svg>
          {word}
        </NavLink>
      ))}
    </nav>
  );
}
