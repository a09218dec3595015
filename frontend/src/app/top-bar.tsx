// Where am I, is it live, light or dark.
import { Link, useLocation } from "react-router";
import { ConnectionStatus } from "./connection-status";
import { Keys } from "./keys";
import { ThemeSwitch } from "./theme-switch";
import styles from "./top-bar.module.css";

const WORDS: Record<string, string> = { new: "new run" };

export function TopBar() {
  const parts = useLocation().pathname.split("/").filter(Boolean);
  return (
    <header className={styles["bar"]}>
      <nav className={styles["path"]} aria-label="Where you are">
        <Link to="/runs" className={styles["home"]}>
          Pretraining Lab
        </Link>
        {parts.map((part, index) => (
          <span key={part} className={styles["part"]}>
            <span aria-hidden="true" className={styles["arrow"]}>
              ▸
            </span>
            {index < parts.length - 1 ? (
              <Link to={`/${parts.slice(0, index + 1).join("/")}`}>{part}</Link>
            ) : (
              <span aria-current="page">{WORDS[part] ?? decodeURIComponent(part)}</span>
            )}
          </span>
        ))}
      </nav>
      <div className={styles["end"]}>
        <Keys />
        <ConnectionStatus />
        <ThemeSwitch />
      </div>
    </header>
  );
}
