// Where the points of a scatter are on screen, and which is meant. Pure; points are x, y, x, y, ...

export interface View {
  /** Middle of what is seen, in the points' units. */
  readonly x: number;
  readonly y: number;
  /** Pixels per unit, the same both ways: distances on a map can be compared. */
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Spot {
  readonly x: number;
  readonly y: number;
}

const MARGIN_PX = 16;

/** The view that shows everything up to `extent` from the origin, which stays in the middle whatever moves. */
export function fitted(extent: Spot, { width, height }: Size): View {
  const across = Math.max(1, width / 2 - MARGIN_PX) / (extent.x || 1e-9);
  const up = Math.max(1, height / 2 - MARGIN_PX) / (extent.y || 1e-9);
  return { x: 0, y: 0, scale: Math.min(across, up) };
}

/** How far the farthest points of some scatters are from the origin, along each axis. */
export function extentOf(...scatters: readonly Float32Array[]): Spot {
  let [x, y] = [0, 0];
  for (const points of scatters) {
    for (let at = 0; at < points.length; at += 2) {
      x = Math.max(x, Math.abs(points[at] ?? 0));
      y = Math.max(y, Math.abs(points[at + 1] ?? 0));
    }
  }
  return { x, y };
}

export function toScreen(view: View, size: Size, point: Spot): Spot {
  return {
    x: size.width / 2 + (point.x - view.x) * view.scale,
    y: size.height / 2 - (point.y - view.y) * view.scale,
  };
}

export function toPoint(view: View, size: Size, spot: Spot): Spot {
  return {
    x: view.x + (spot.x - size.width / 2) / view.scale,
    y: view.y - (spot.y - size.height / 2) / view.scale,
  };
}

/** The view of a box that was drawn on the screen; the old one when the box is no more than a click. */
export function zoomed(view: View, size: Size, [from, to]: readonly [Spot, Spot]): View {
  const width = Math.abs(to.x - from.x);
  const height = Math.abs(to.y - from.y);
  if (width < 6 || height < 6) return view;
  const middle = toPoint(view, size, { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 });
  return { ...middle, scale: view.scale * Math.min(size.width / width, size.height / height) };
}

/** The nearest point within reach, or null. */
export function nearestPoint(
  points: Float32Array,
  target: Spot,
  { within }: { within: number },
): number | null {
  let best: number | null = null;
  let least = within * within;
  for (let index = 0; 2 * index < points.length; index += 1) {
    const dx = (points[2 * index] ?? 0) - target.x;
    const dy = (points[2 * index + 1] ?? 0) - target.y;
    const distance = dx * dx + dy * dy;
    if (distance <= least) {
      best = index;
      least = distance;
    }
  }
  return best;
}

const WAYS: Partial<Record<string, Spot>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: 1 },
  ArrowDown: { x: 0, y: -1 },
};

/** The nearest point in the direction of an arrow key, within 45 degrees of it; null where there is none. */
export function pointTowards(points: Float32Array, from: number, key: string): number | null {
  const way = WAYS[key];
  if (way === undefined) return null;
  const x = points[2 * from] ?? 0;
  const y = points[2 * from + 1] ?? 0;
  let best: number | null = null;
  let least = Infinity;
  for (let index = 0; 2 * index < points.length; index += 1) {
    const dx = (points[2 * index] ?? 0) - x;
    const dy = (points[2 * index + 1] ?? 0) - y;
    const along = dx * way.x + dy * way.y;
    const across = Math.abs(dx * way.y) + Math.abs(dy * way.x);
    if (index === from || along <= 0 || across > along) continue;
    const distance = along * along + across * across;
    if (distance < least) {
      best = index;
      least = distance;
    }
  }
  return best;
}

/** Points on their way from one place to another, `share` of it gone. */
export function between(from: Float32Array, to: Float32Array, share: number): Float32Array {
  return Float32Array.from(to, (value, at) => {
    const start = from[at] ?? value;
    return start + (value - start) * share;
  });
}
