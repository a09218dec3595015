// How the charts are looked at. Remembered in this browser; nothing but a person changes it.
import { create } from "zustand";
import { persist } from "zustand/middleware";
import { undo } from "@/lib/undo";
import type { Axis } from "./axis";

interface ChartSettings {
  axis: Axis;
  logLoss: boolean;
  /** Whether the loss is shown from its 5th to its 95th percentile only. */
  clipLoss: boolean;
  /** Weight of the moving average, 0 to 0.99. */
  smoothing: number;
  set: (change: Partial<Omit<ChartSettings, "set">>) => void;
}

export const useChartSettings = create<ChartSettings>()(
  persist(
    (set, get) => ({
      axis: "step",
      logLoss: false,
      clipLoss: false,
      smoothing: 0.9,
      set: (change) => {
        const before = get(); // a value: zustand makes a new one for each change
        set(change);
        const what = `charts: ${Object.keys(change).join(", ")}`;
        const [back, again] = [() => set(before), () => set(change)];
        if (change.smoothing === undefined) undo.done(what, back, again);
        else undo.moved(what, back, again); // a slider moves in a stroke
      },
    }),
    { name: "lab.charts", version: 1 },
  ),
);
