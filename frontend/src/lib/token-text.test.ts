import { describe, expect, it } from "vitest";
import { tokenBytes, visibleToken } from "./token-text";

describe("visibleToken", () => {
  it("marks spaces, newlines and tabs, and leaves the rest", () => {
    expect(visibleToken(" the")).toBe("·the");
    expect(visibleToken("\n\n\t")).toBe("↵↵⇥");
    expect(visibleToken("naïve")).toBe("naïve");
  });
});

describe("tokenBytes", () => {
  it("counts the bytes of UTF-8", () => {
    expect(tokenBytes(" é")).toEqual([0x20, 0xc3, 0xa9]);
  });

  it("reads byte fragments back", () => {
    expect(tokenBytes("\\xf0\\x9f")).toEqual([0xf0, 0x9f]);
    expect(tokenBytes(" \\xF0")).toEqual([0x20, 0xf0]);
  });

  it("takes a lone backslash literally", () => {
    expect(tokenBytes("\\")).toEqual([0x5c]);
  });
});
