import { describe, expect, it } from "vitest";
import { insideAddress, placeOf } from "./checkpoint-name";

describe("placeOf", () => {
  it("takes a name apart", () => {
    expect(placeOf("runs/nano-7f3k/checkpoints/step-00000100")).toEqual({
      run: "nano-7f3k",
      checkpoint: "step-00000100",
    });
  });
});

describe("insideAddress", () => {
  it("names run and checkpoint", () => {
    expect(insideAddress("runs/nano-7f3k/checkpoints/step-00000100")).toBe(
      "/inside?run=nano-7f3k&checkpoint=step-00000100",
    );
  });
});
