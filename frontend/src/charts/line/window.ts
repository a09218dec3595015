// What a group of charts looks at: the visible stretch of x (null: everything, following the live end), the cursor, and
// the place that someone put a mark on by clicking.
// Only people move these; arriving data never does.
export type Stretch = readonly [number, number];

export interface Looking {
  readonly stretch: Stretch | null;
  readonly cursor: number | null;
  /** Where the playhead stands; null at the live end. */
  readonly mark?: number | null;
}

export class LinkedWindow {
  private now: Looking = { stretch: null, cursor: null };
  private readonly listeners = new Set<() => void>();
  private readonly pickers = new Set<(x: number) => void>();

  readonly get = (): Looking => this.now;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  look(stretch: Stretch | null): void {
    this.set({ ...this.now, stretch });
  }

  point(cursor: number | null): void {
    if (cursor !== this.now.cursor) this.set({ ...this.now, cursor });
  }

  mark(mark: number | null): void {
    if (mark !== (this.now.mark ?? null)) this.set({ ...this.now, mark });
  }

  /** Someone clicked at a place of a chart. */
  pick(x: number): void {
    for (const picker of this.pickers) picker(x);
  }

  readonly onPick = (picker: (x: number) => void): (() => void) => {
    this.pickers.add(picker);
    return () => this.pickers.delete(picker);
  };

  private set(next: Looking): void {
    this.now = next;
    for (const listener of this.listeners) listener();
  }
}

/** Zooms by `factor` (below 1: closer) so that `at` stays where it is. Zooming out past everything follows again. */
export function zoomed(shown: Stretch, at: number, factor: number, all: Stretch): Stretch | null {
  const span = all[1] - all[0];
  const least = span / 10_000; // beyond this, numbers run out of digits before people run out of wishes
  const width = Math.max(least, (shown[1] - shown[0]) * factor);
  if (width >= span) return null;
  const share = (at - shown[0]) / (shown[1] - shown[0] || 1);
  return kept([at - share * width, at + (1 - share) * width], all);
}

/** Moves by `by` in units of x, never past the ends. */
export function panned(shown: Stretch, by: number, all: Stretch): Stretch {
  return kept([shown[0] + by, shown[1] + by], all);
}

function kept([from, to]: Stretch, all: Stretch): Stretch {
  const width = to - from;
  if (from < all[0]) return [all[0], all[0] + width];
  if (to > all[1]) return [all[1] - width, all[1]];
  return [from, to];
}
