// As the system says, light, dark: one button that goes round.
import { useSyncExternalStore } from "react";
import { chooseTheme, onThemeChange, themeChoice, type ThemeChoice } from "@/lib/theme";
import { Button } from "@/ui/button";

const NEXT: Record<ThemeChoice, ThemeChoice> = { system: "light", light: "dark", dark: "system" };
const WORDS: Record<ThemeChoice, string> = {
  system: "as the system",
  light: "light",
  dark: "dark",
};

export function ThemeSwitch() {
  const choice = useSyncExternalStore(onThemeChange, themeChoice);
  const label = `Theme: ${WORDS[choice]}. Change to ${WORDS[NEXT[choice]]}.`;
  return (
    <Button
      kind="quiet"
      aria-label={label}
      title={label}
      data-testid="theme-switch"
      onClick={() => chooseTheme(NEXT[choice])}
    >
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <circle
          cx="8"
          cy="8"
          r="6"
          fill={choice === "dark" ? "currentColor" : "none"}
          stroke="currentColor"
          strokeWidth="1.4"
        />
        {choice === "system" && <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />}
      </svg>
    </Button>
  );
}
