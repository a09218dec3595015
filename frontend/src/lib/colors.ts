// Colours for canvases: the CSS variables of tokens.css, read once per theme.
import { onThemeChange } from "./theme";

const cache = new Map<string, string>();
onThemeChange(() => cache.clear());

const RUN_COLORS = 10;

/** Value of a CSS variable, as in cssColor("--train"). */
export function cssColor(name: `--${string}`): string {
  let value = cache.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#808080";
    cache.set(name, value);
  }
  return value;
}

/** The variable of the colour that belongs to a run for ever: a hash of its name picks one of ten. */
export function runColorVariable(runName: string): `--run-${number}` {
  let hash = 2166136261; // FNV-1a
  for (const character of runName) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619);
  }
  return `--run-${(hash >>> 0) % RUN_COLORS}`;
}
