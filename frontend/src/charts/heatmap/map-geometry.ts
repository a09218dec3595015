// Where the cells and labels of one query × key map are: pure numbers, in CSS pixels.

/** A cell of the map: the token that looks, and the token it looks at. */
export interface Cell {
  readonly query: number;
  readonly key: number;
}

export interface MapLayout {
  readonly tokens: number;
  /** Side of one cell. */
  readonly cell: number;
  /** Room for the query labels on the left and the key labels on top. */
  readonly left: number;
  readonly top: number;
  /** Side of the square of cells. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
  /** Every how many tokens a label fits. */
  readonly labelEvery: number;
}

export const LABEL_ROOM = 76;
const LABEL_PITCH = 11;
const LARGEST_CELL = 44;
const LARGEST_MAP = 720;
/** Device pixels per cell from which on a fraction of one no longer matters. */
const ROUNDED_FROM = 5;

export function layoutMap(
  tokens: number,
  { width, pixelRatio }: { width: number; pixelRatio: number },
): MapLayout {
  const room = Math.max(1, Math.min(width - LABEL_ROOM - 1, LARGEST_MAP));
  const cell = tokens === 0 ? 0 : cellSide(room / tokens, pixelRatio);
  const size = cell * tokens;
  return {
    tokens,
    cell,
    left: LABEL_ROOM,
    top: LABEL_ROOM,
    size,
    width,
    height: LABEL_ROOM + size + 1,
    labelEvery: cell === 0 ? 1 : Math.max(1, Math.ceil(LABEL_PITCH / cell)),
  };
}

// Whole device pixels per cell, so that all cells look equally wide; not where rounding down would waste much of the room.
function cellSide(wanted: number, pixelRatio: number): number {
  const capped = Math.min(wanted, LARGEST_CELL);
  const devicePixels = capped * pixelRatio;
  return devicePixels >= ROUNDED_FROM ? Math.floor(devicePixels) / pixelRatio : capped;
}

/** The cell under a point, or null outside the map and in the masked half (keys after their query). */
export function cellAt(layout: MapLayout, { x, y }: { x: number; y: number }): Cell | null {
  if (layout.cell === 0) return null;
  const key = Math.floor((x - layout.left) / layout.cell);
  const query = Math.floor((y - layout.top) / layout.cell);
  const inside = key >= 0 && query >= 0 && key < layout.tokens && query < layout.tokens;
  return inside && key <= query ? { query, key } : null;
}

/** The token whose label is under a point, or null: on the left the queries, on top the keys. */
export function labelAt(
  layout: MapLayout,
  { x, y }: { x: number; y: number },
): { axis: "query" | "key"; token: number } | null {
  if (layout.cell === 0) return null;
  const key = Math.floor((x - layout.left) / layout.cell);
  const query = Math.floor((y - layout.top) / layout.cell);
  if (x < layout.left && query >= 0 && query < layout.tokens)
    return { axis: "query", token: query };
  if (y < layout.top && key >= 0 && key < layout.tokens) return { axis: "key", token: key };
  return null;
}
