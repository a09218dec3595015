import { render, screen } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { Shortcuts, type Key } from "./shortcuts";

function keys() {
  let on = true;
  const shortcuts = new Shortcuts({ get: () => on, set: (next) => void (on = next) });
  const run = vi.fn();
  shortcuts.offer({ key: "g", label: "log", run });
  shortcuts.offer({ key: "mod+k", label: "palette", run });
  const press = (key: string, change: Partial<Key> = {}) =>
    shortcuts.press({
      key,
      ctrlKey: false,
      metaKey: false,
      altKey: false,
      defaultPrevented: false,
      target: document.body,
      ...change,
    });
  return { shortcuts, run, press };
}

describe("keys", () => {
  it("act, with the Shift or Caps Lock of whoever presses them", () => {
    const { run, press } = keys();
    expect([press("g"), press("G"), press("x")]).toEqual([true, true, false]);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it("leave the browser's own combinations alone", () => {
    const { run, press } = keys();
    expect(press("g", { ctrlKey: true })).toBe(false);
    expect(press("g", { metaKey: true })).toBe(false);
    expect(press("g", { altKey: true })).toBe(false);
    expect(press("k")).toBe(false);
    expect(press("g", { defaultPrevented: true })).toBe(false);
    expect(run).not.toHaveBeenCalled();
  });

  it("do nothing while someone types, but the palette still opens", () => {
    render(
      <>
        <input aria-label="text" />
        <input aria-label="search" type="search" />
        <textarea aria-label="area" />
        <select aria-label="select" />
        <input aria-label="tick" type="checkbox" />
        <dialog open>
          <input aria-label="asked" type="checkbox" />
        </dialog>
      </>,
    );
    const { press } = keys();
    const at = (label: string) => ({ target: screen.getByLabelText(label) });
    for (const label of ["text", "search", "area", "select", "asked"]) {
      expect(press("g", at(label)), label).toBe(false);
      expect(press("k", { ...at(label), ctrlKey: true }), label).toBe(true);
    }
    expect(press("g", at("tick"))).toBe(true);
  });

  it("can be switched off, all but the palette", () => {
    const { shortcuts, press } = keys();
    shortcuts.turn(false);
    expect([press("g"), press("k", { metaKey: true })]).toEqual([false, true]);
    shortcuts.turn(true);
    expect(press("g")).toBe(true);
  });

  it("belong to who offered them last, and go back when that one leaves", () => {
    const { shortcuts, run, press } = keys();
    const other = vi.fn();
    const leave = shortcuts.offer({ key: "g", label: "other", run: other });
    press("g");
    expect([other.mock.calls.length, run.mock.calls.length]).toEqual([1, 0]);
    leave();
    press("g");
    expect([other.mock.calls.length, run.mock.calls.length]).toEqual([1, 1]);
  });
});
