import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { attachGestures } from "./gestures";
import { ChartPainter } from "./painter";
import { LinkedWindow } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function chart() {
  const element = document.createElement("div");
  element.setPointerCapture = () => undefined; // jsdom has none
  const window = new LinkedWindow();
  const picked: number[] = [];
  window.onPick((x) => picked.push(x));
  const detach = attachGestures(
    element,
    new ChartPainter(document.createElement("canvas"), window),
  );
  const click = () => {
    for (const type of ["pointerdown", "pointerup"]) {
      element.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX: 61 }));
    }
  };
  const doubleClick = () => {
    click();
    vi.advanceTimersByTime(150);
    click();
    element.dispatchEvent(new MouseEvent("dblclick"));
    vi.runAllTimers();
  };
  return { window, picked, click, doubleClick, detach };
}

test("a double-click in a zoomed chart resets the zoom and picks no place", () => {
  const { window, picked, doubleClick } = chart();
  window.look([10, 20]);
  doubleClick();
  expect(window.get().stretch).toBeNull();
  expect(picked).toEqual([]);
});

test("a single click in a zoomed chart picks its place, once", () => {
  const { window, picked, click } = chart();
  window.look([10, 20]);
  click();
  vi.runAllTimers();
  expect(picked).toHaveLength(1);
  expect(window.get().stretch).toEqual([10, 20]);
});

test("with nothing to reset a click picks at once", () => {
  const { picked, click } = chart();
  click();
  expect(picked).toHaveLength(1);
});

test("a chart that went away picks nothing any more", () => {
  const { window, picked, click, detach } = chart();
  window.look([10, 20]);
  click();
  detach();
  vi.runAllTimers();
  expect(picked).toEqual([]);
});
