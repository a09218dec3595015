import { fireEvent, render, screen } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import { FixedWidthObserver } from "@/lib/fixed-width-observer";
import { ValueGrid } from "./value-grid";

beforeEach(() => {
  vi.stubGlobal("ResizeObserver", FixedWidthObserver);
});

it("is walked by arrow keys and picked from by Enter", () => {
  const onHover = vi.fn();
  const onPick = vi.fn();
  render(
    <ValueGrid
      rows={["a", "b"]}
      columns={2}
      values={new Float32Array(4)}
      share={(value) => value}
      summary="Four cells."
      onHover={onHover}
      onPick={onPick}
      data-testid="grid"
    />,
  );
  const grid = screen.getByTestId("grid");
  expect(grid.tabIndex).toBe(0);
  expect(grid.getAttribute("aria-label")).toContain("Arrow keys move from cell to cell, Enter");
  fireEvent.keyDown(grid, { key: "Enter" });
  expect(onPick).not.toHaveBeenCalled();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowRight"]) fireEvent.keyDown(grid, { key });
  expect(onHover).toHaveBeenLastCalledWith({ row: 1, column: 1 });
  fireEvent.keyDown(grid, { key: "Enter" });
  expect(onPick).toHaveBeenCalledWith({ row: 1, column: 1 });
  // What else is pressed belongs to the page.
  expect(fireEvent.keyDown(grid, { key: "." })).toBe(true);
  fireEvent.blur(grid);
  expect(onHover).toHaveBeenLastCalledWith(null);
});
