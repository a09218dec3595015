// Esc backs out of what is held where the focus is, one level at a time.
import type { KeyboardEvent } from "react";

/** For a panel's onKeyDown. What it answers goes no further: Esc then lets go of nothing else. */
export function onEscape(held: boolean, letGo: () => void) {
  return (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !held) return;
    event.preventDefault();
    letGo();
  };
}
