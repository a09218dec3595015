import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { undo } from "./undo";

function changed(values: string[], from: string, to: string) {
  const set = (value: string) => () => {
    values.push(value);
    undo.done("an echo", set(from), set(to)); // what setting it says is no new change
  };
  return [set(from), set(to)] as const;
}

describe("undo", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    while (undo.takeBack() !== undefined);
    vi.useRealTimers();
  });

  it("takes back the newest first and says what it was about, and does it again", () => {
    const said: string[] = [];
    undo.done("axis", ...changed(said, "step", "tokens"));
    undo.done("scale", ...changed(said, "plain", "log"));
    expect([undo.takeBack(), undo.takeBack(), undo.takeBack()]).toEqual([
      "scale",
      "axis",
      undefined,
    ]);
    expect(said).toEqual(["plain", "step"]);
    expect([undo.doAgain(), undo.doAgain(), undo.doAgain()]).toEqual(["axis", "scale", undefined]);
    expect(said).toEqual(["plain", "step", "tokens", "log"]);
  });

  it("forgets what was taken back once something else is done", () => {
    undo.done("a", ...changed([], "0", "1"));
    undo.takeBack();
    undo.done("b", ...changed([], "0", "1"));
    expect(undo.doAgain()).toBeUndefined();
  });

  it("forgets what belongs to a page that went", () => {
    const said: string[] = [];
    undo.done("axis", ...changed(said, "step", "tokens"));
    undo.done("comparison: baseline", ...changed(said, "none", "a"));
    undo.forget("comparison");
    expect(undo.takeBack()).toBe("axis");
    expect(said).toEqual(["step"]);
  });

  it("takes a stroke back as a whole, and two strokes one by one", () => {
    const said: string[] = [];
    for (const [from, to] of [
      ["0", "1"],
      ["1", "2"],
      ["2", "3"],
    ] as const) {
      undo.moved("slider", ...changed(said, from, to));
      vi.advanceTimersByTime(100);
    }
    vi.advanceTimersByTime(1_000);
    undo.moved("slider", ...changed(said, "3", "4"));
    undo.takeBack();
    undo.takeBack();
    expect(said).toEqual(["3", "0"]);
    undo.doAgain();
    expect(said.at(-1)).toBe("3");
  });
});
