// Where the thumbnails of all heads are: rows are layers, columns are heads. Pure numbers, in CSS pixels.

export interface HeadPlace {
  readonly layer: number;
  readonly head: number;
}

export interface GridLayout {
  readonly layers: number;
  readonly heads: number;
  /** Side of one thumbnail. */
  readonly side: number;
  readonly gap: number;
  /** Room for layer numbers on the left and head numbers on top. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const GAP = 4;
const LEFT = 20;
const TOP = 16;
const LARGEST_SIDE = 96;
const SMALLEST_SIDE = 12;
/** Room for the frame around the last column and row. */
const MARGIN = 2;

export function layoutGrid(
  layers: number,
  heads: number,
  { width }: { width: number },
): GridLayout {
  const room = (width - LEFT - MARGIN - GAP * Math.max(0, heads - 1)) / Math.max(1, heads);
  const side = Math.max(SMALLEST_SIDE, Math.min(LARGEST_SIDE, Math.floor(room)));
  return {
    layers,
    heads,
    side,
    gap: GAP,
    left: LEFT,
    top: TOP,
    width: LEFT + heads * side + Math.max(0, heads - 1) * GAP + MARGIN,
    height: TOP + layers * side + Math.max(0, layers - 1) * GAP + MARGIN,
  };
}

/** Top left corner of a thumbnail. */
export function cornerOf(layout: GridLayout, { layer, head }: HeadPlace): { x: number; y: number } {
  const pitch = layout.side + layout.gap;
  return { x: layout.left + head * pitch, y: layout.top + layer * pitch };
}

/** The thumbnail under a point, or null in the gaps and outside. */
export function headAt(layout: GridLayout, { x, y }: { x: number; y: number }): HeadPlace | null {
  const pitch = layout.side + layout.gap;
  const head = Math.floor((x - layout.left) / pitch);
  const layer = Math.floor((y - layout.top) / pitch);
  if (head < 0 || layer < 0 || head >= layout.heads || layer >= layout.layers) return null;
  const corner = cornerOf(layout, { layer, head });
  return x < corner.x + layout.side && y < corner.y + layout.side ? { layer, head } : null;
}

const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** The head an arrow key leads to; stays at the edges. Other keys lead nowhere. */
export function neighbour(
  place: HeadPlace,
  key: string,
  { layers, heads }: { layers: number; heads: number },
): HeadPlace | null {
  const move = MOVES[key];
  if (move === undefined) return null;
  return {
    layer: clamp(place.layer + move[0], layers),
    head: clamp(place.head + move[1], heads),
  };
}

export interface GridCell {
  readonly row: number;
  readonly column: number;
}

/** The same among rows of cells; the first arrow of all enters at the first cell. */
export function neighbourCell(
  cell: GridCell | null,
  key: string,
  { rows, columns }: { rows: number; columns: number },
): GridCell | null {
  const move = MOVES[key];
  if (move === undefined || rows === 0 || columns === 0) return null;
  if (cell === null) return { row: 0, column: 0 };
  return { row: clamp(cell.row + move[0], rows), column: clamp(cell.column + move[1], columns) };
}

function clamp(value: number, count: number): number {
  return Math.max(0, Math.min(count - 1, value));
}
