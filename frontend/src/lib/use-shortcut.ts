// Offers a key while a component is on screen.
import { useEffect, useEffectEvent } from "react";
import { shortcuts } from "./shortcuts";

export function useShortcut(key: string, label: string, run: () => void): void {
  const act = useEffectEvent(run);
  useEffect(() => shortcuts.offer({ key, label, run: () => act() }), [key, label]);
}
