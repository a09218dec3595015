// Settings of the spec that the form has no field for: from a YAML text, another run, or a one-click fix.
import { Button } from "@/ui/button";
import styles from "./also-set.module.css";
import type { Draft } from "./draft";

export function AlsoSet({
  beside,
  onChange,
}: {
  beside: Draft["beside"];
  onChange: (beside: Draft["beside"]) => void;
}) {
  const settings = Object.entries(beside);
  if (settings.length === 0) return null;
  return (
    <ul className={styles["settings"]} aria-label="Also set" data-testid="also-set">
      {settings.map(([path, value]) => (
        <li key={path}>
          <code>
            {path} = {JSON.stringify(value)}
          </code>
          <Button
            kind="quiet"
            aria-label={`Take ${path} back`}
            onClick={() => onChange(Object.fromEntries(settings.filter(([one]) => one !== path)))}
          >
            ✕
          </Button>
        </li>
      ))}
    </ul>
  );
}
