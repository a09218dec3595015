import { describe, expect, it } from "vitest";
import { DEFAULT_TEXT, readAddress, writeAddress } from "./inside-address";

const read = (query: string) => readAddress(new URLSearchParams(query));

describe("readAddress", () => {
  it("reads what it wrote", () => {
    const address = {
      run: "nano-7f3k",
      checkpoint: "step-00000100",
      layer: 3,
      head: "mean",
      text: "a & b = c?\n+",
      against: 120,
    } as const;
    const query = writeAddress(new URLSearchParams(), address).toString();
    expect(read(query)).toEqual(address);
  });

  it("starts at head 0.0 with the default text", () => {
    expect(read("")).toEqual({
      run: null,
      checkpoint: null,
      layer: 0,
      head: 0,
      text: DEFAULT_TEXT,
      against: null,
    });
  });

  it("takes full names and shrugs at nonsense", () => {
    const address = read("run=runs%2Fnano-7f3k&layer=-1&head=x");
    expect(address).toMatchObject({ run: "nano-7f3k", layer: 0, head: 0 });
    expect(read("against=-3").against).toBe(null);
    expect(read("against=newest").against).toBe("newest");
  });
});

describe("writeAddress", () => {
  it("changes only what it is told and leaves defaults out", () => {
    const before = new URLSearchParams("run=a&checkpoint=c&layer=2");
    const after = writeAddress(before, { checkpoint: null, text: DEFAULT_TEXT });
    expect(after.toString()).toBe("run=a&layer=2");
    expect(before.toString()).toBe("run=a&checkpoint=c&layer=2");
  });
});
