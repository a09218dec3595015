// Which columns the runs table shows. Remembered in this browser; a change can be undone.
import { create } from "zustand";
import { persist } from "zustand/middleware";
import { undo } from "@/lib/undo";
import type { SortKey } from "./sort-runs";
import { TABLE_COLUMNS } from "./table-columns";

interface TableSettings {
  hidden: readonly SortKey[];
  toggle: (key: SortKey) => void;
}

const HIDDEN_AT_FIRST = TABLE_COLUMNS.filter(({ extra }) => extra).map(({ key }) => key);

export const useTableSettings = create<TableSettings>()(
  persist(
    (set, get) => ({
      hidden: HIDDEN_AT_FIRST,
      toggle: (key) => {
        const { hidden } = get();
        const next = hidden.includes(key) ? hidden.filter((one) => one !== key) : [...hidden, key];
        set({ hidden: next });
        undo.done(
          "columns of the runs",
          () => set({ hidden }),
          () => set({ hidden: next }),
        );
      },
    }),
    { name: "lab.runs", version: 1 },
  ),
);
