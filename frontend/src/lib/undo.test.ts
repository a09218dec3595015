import { describe, expect, it } from "vitest";
import { undo } from "./undo";

describe("taking changes of the view back", () => {
  it("takes the newest back first, each once", () => {
    let value = "a";
    const change = (to: string) => {
      const before = value;
      value = to;
      undo.done(`to ${to}`, () => {
        value = before;
      });
    };
    change("b");
    change("c");
    expect(undo.takeBack()).toBe("to c");
    expect(value).toBe("b");
    expect(undo.takeBack()).toBe("to b");
    expect(value).toBe("a");
    expect(undo.takeBack()).toBeUndefined();
  });
});
