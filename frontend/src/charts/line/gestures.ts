// Hands on a chart: drag zooms, a click picks a place, Shift-drag or middle button pans, double-click resets, Ctrl-wheel
// zooms; a plain wheel scrolls the page. Keys: arrows move the cursor, Enter picks its place, + and - zoom, 0 and Escape
// reset.
import { nearestIndex } from "./columns";
import type { ChartPainter } from "./painter";
import { panned, zoomed } from "./window";

const LEAST_DRAG_PX = 5;
const SECOND_CLICK_MS = 300;
const ZOOM_STEP = 0.8;

export function attachGestures(element: HTMLElement, painter: ChartPainter): () => void {
  const { window } = painter;
  const stop = new AbortController();
  const { signal } = stop;
  let drag: {
    pointer: number;
    fromPx: number;
    pan: boolean;
    shown: readonly [number, number];
  } | null = null;

  // In a zoomed chart the first click may be half of the double-click that resets the zoom, so it waits for the second.
  let waiting: ReturnType<typeof setTimeout> | undefined;
  const pick = (x: number) => {
    const second = waiting !== undefined;
    clearTimeout(waiting);
    waiting = undefined;
    if (second) return;
    if (window.get().stretch === null) window.pick(x);
    else {
      waiting = setTimeout(() => {
        waiting = undefined;
        window.pick(x);
      }, SECOND_CLICK_MS);
    }
  };

  const place = (event: MouseEvent) => {
    const px = event.clientX - element.getBoundingClientRect().left;
    const { left, right } = painter.box;
    return Math.min(right, Math.max(left, px));
  };

  const onPointerDown = (event: PointerEvent) => {
    const middle = event.button === 1;
    if (event.button !== 0 && !middle) return;
    if (middle) event.preventDefault(); // the browser's own scroll gesture
    element.setPointerCapture(event.pointerId);
    drag = {
      pointer: event.pointerId,
      fromPx: place(event),
      pan: middle || event.shiftKey,
      shown: painter.shown,
    };
  };

  const onPointerMove = (event: PointerEvent) => {
    const px = place(event);
    window.point(painter.x.invert(px));
    if (drag?.pointer !== event.pointerId) return;
    if (drag.pan) {
      const perPixel = (drag.shown[1] - drag.shown[0]) / (painter.box.right - painter.box.left);
      if (window.get().stretch !== null) {
        window.look(panned(drag.shown, (drag.fromPx - px) * perPixel, painter.all));
      }
    } else {
      painter.selection = [drag.fromPx, px];
      painter.redraw();
    }
  };

  const onPointerEnd = (event: PointerEvent) => {
    if (drag?.pointer !== event.pointerId) return;
    const { fromPx, pan } = drag;
    drag = null;
    painter.selection = null;
    const px = place(event);
    const dragged = Math.abs(px - fromPx) >= LEAST_DRAG_PX;
    if (!pan && event.type === "pointerup" && !dragged) pick(painter.x.invert(px));
    if (!pan && event.type === "pointerup" && dragged) {
      const from = painter.x.invert(Math.min(px, fromPx));
      const to = painter.x.invert(Math.max(px, fromPx));
      window.look([from, to]);
    }
    painter.redraw();
  };

  const onDoubleClick = () => {
    clearTimeout(waiting);
    waiting = undefined;
    window.look(null);
  };

  const onWheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) return;
    event.preventDefault();
    const at = painter.x.invert(place(event));
    window.look(
      zoomed(painter.shown, at, event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, painter.all),
    );
  };

  const onKey = (event: KeyboardEvent) => {
    const { cursor } = window.get();
    const middle = (painter.shown[0] + painter.shown[1]) / 2;
    if (event.key === "Enter" && cursor !== null) window.pick(cursor);
    else if (event.key === "0" || event.key === "Escape") window.look(null);
    else if (event.key === "+" || event.key === "=") {
      window.look(zoomed(painter.shown, cursor ?? middle, ZOOM_STEP, painter.all));
    } else if (event.key === "-") {
      window.look(zoomed(painter.shown, cursor ?? middle, 1 / ZOOM_STEP, painter.all));
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const points = painter.lines()[0]?.columns;
      if (!points || points.length === 0) return;
      const by = (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1);
      const from = nearestIndex(points, cursor ?? painter.shown[1]);
      const to = Math.min(points.length - 1, Math.max(0, cursor === null ? from : from + by));
      window.point(points.x[to] ?? null);
    } else return;
    event.preventDefault();
  };

  element.addEventListener("pointerdown", onPointerDown, { signal });
  element.addEventListener("pointermove", onPointerMove, { signal });
  element.addEventListener("pointerup", onPointerEnd, { signal });
  element.addEventListener("pointercancel", onPointerEnd, { signal });
  element.addEventListener("pointerleave", () => window.point(null), { signal });
  element.addEventListener("blur", () => window.point(null), { signal });
  element.addEventListener("dblclick", onDoubleClick, { signal });
  element.addEventListener("wheel", onWheel, { signal, passive: false });
  element.addEventListener("keydown", onKey, { signal });
  return () => {
    stop.abort();
    clearTimeout(waiting);
  };
}
