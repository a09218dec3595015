// Which cell is brought out: hover previews, click locks, Esc lets go.
import { useCallback, useState } from "react";
import type { Cell } from "@/charts/heatmap/map-geometry";

export interface CellChoice {
  readonly cell: Cell | null;
  readonly locked: boolean;
  readonly hover: (cell: Cell | null) => void;
  readonly pick: (cell: Cell) => void;
  readonly release: () => void;
}

export function useCell(tokens: number): CellChoice {
  const [hovered, setHovered] = useState<Cell | null>(null);
  const [locked, setLocked] = useState<Cell | null>(null);
  const pick = useCallback((cell: Cell) => {
    // The same cell again lets go, for those without an Esc key.
    setLocked((held) => (held?.query === cell.query && held.key === cell.key ? null : cell));
  }, []);
  const release = useCallback(() => setLocked(null), []);
  const held = locked !== null && locked.query < tokens ? locked : null;
  const shown = held ?? hovered;
  return {
    cell: shown !== null && shown.query < tokens ? shown : null,
    locked: held !== null,
    hover: setHovered,
    pick,
    release,
  };
}
