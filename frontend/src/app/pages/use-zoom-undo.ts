// A zoom is a change of the view that can be taken back, however many small moves of the hand made it.
import { useEffect } from "react";
import type { LinkedWindow } from "@/charts/line/window";
import { undo } from "@/lib/undo";

const WHAT = "zoom";

export function useZoomUndo(window: LinkedWindow): void {
  useEffect(() => {
    let before = window.get().stretch;
    const stop = window.subscribe(() => {
      const { stretch } = window.get();
      if (stretch === before) return; // only the cursor moved
      const earlier = before;
      before = stretch;
      undo.moved(
        WHAT,
        () => window.look(earlier),
        () => window.look(stretch),
      );
    });
    return () => {
      stop();
      undo.forget(WHAT);
    };
  }, [window]);
}
