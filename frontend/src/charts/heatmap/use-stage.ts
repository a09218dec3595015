// What a canvas needs to know about where it stands: the width it was given, the screen's pixel ratio, the theme.
import { useEffect, useState, useSyncExternalStore, type RefObject } from "react";
import { currentTheme, onThemeChange, type Theme } from "@/lib/theme";

export interface Stage {
  /** In CSS pixels; 0 before the first measurement. */
  readonly width: number;
  readonly pixelRatio: number;
  readonly theme: Theme;
}

export function useStage(container: RefObject<HTMLElement | null>): Stage {
  const [width, setWidth] = useState(0);
  const pixelRatio = useSyncExternalStore(onPixelRatioChange, () => window.devicePixelRatio);
  const theme = useSyncExternalStore(onThemeChange, currentTheme);
  useEffect(() => {
    const element = container.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.floor(entry.contentRect.width));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [container]);
  return { width, pixelRatio, theme };
}

// A window dragged to another screen fires no event of its own, but usually resizes.
function onPixelRatioChange(listener: () => void): () => void {
  window.addEventListener("resize", listener);
  return () => window.removeEventListener("resize", listener);
}
