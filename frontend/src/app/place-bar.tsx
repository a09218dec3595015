// The places of the lab: a bar at the left, at the bottom of narrow screens.
import { NavLink } from "react-router";
import { PLACES } from "./places";
import styles from "./place-bar.module.css";

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
