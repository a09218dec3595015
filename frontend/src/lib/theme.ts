// Light, dark or as the system says. Sets data-theme on the root, remembers a manual choice, tells the canvases.
export type ThemeChoice = "system" | "light" | "dark";
export type Theme = "light" | "dark";

const STORAGE_KEY = "lab.theme";
const listeners = new Set<() => void>();
let choice: ThemeChoice = "system";

function systemIsDark(): MediaQueryList | undefined {
  return typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : undefined;
}

function readStored(): ThemeChoice {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system"; // storage may be forbidden; the system's choice is a fine one
  }
}

function apply(): void {
  document.documentElement.dataset["theme"] = currentTheme();
  for (const listener of listeners) listener();
}

export function themeChoice(): ThemeChoice {
  return choice;
}

export function currentTheme(): Theme {
  if (choice !== "system") return choice;
  return systemIsDark()?.matches === true ? "dark" : "light";
}

export function chooseTheme(next: ThemeChoice): void {
  choice = next;
  try {
    if (next === "system") localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // not remembered, but in force
  }
  apply();
}

/** Calls back after every change of theme; returns how to stop that. */
export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Once, before the first render. */
export function startTheme(): void {
  choice = readStored();
  systemIsDark()?.addEventListener("change", apply);
  apply();
}
