import { describe, expect, it } from "vitest";
import { DEFAULT_SETTINGS, isSettingsError, toRequest } from "./generation-settings";

describe("toRequest", () => {
  it("says temperature 0 and top-k 0 aloud, because absent means something else", () => {
    const request = toRequest("models/m1", { ...DEFAULT_SETTINGS, temperature: 0, topK: "0" });
    expect(request).toMatchObject({ temperature: 0, topK: 0, maxTokens: 64 });
  });

  it("leaves the seed out unless one was typed", () => {
    expect(toRequest("models/m1", DEFAULT_SETTINGS)).not.toHaveProperty("seed");
    expect(toRequest("models/m1", { ...DEFAULT_SETTINGS, seed: "9007199254740993" })).toMatchObject(
      {
        seed: 9007199254740993n,
      },
    );
  });

  it.each([
    ["topK", "-1"],
    ["topK", ""],
    ["maxTokens", "2.5"],
    ["maxTokens", "many"],
    ["seed", "-3"],
    ["topP", ""],
    ["minP", "."],
    ["repetitionPenalty", "-1"],
  ] as const)("names the field when %s is %j", (field, value) => {
    const request = toRequest("models/m1", { ...DEFAULT_SETTINGS, [field]: value });
    expect(isSettingsError(request) && request.field).toBe(field);
  });

  it("sends what narrows the choice, and stop strings line by line", () => {
    const settings = { ...DEFAULT_SETTINGS, topP: "0.9", minP: ".05", stop: "\nROMEO:\n\n." };
    expect(toRequest("models/m1", settings)).toMatchObject({
      topP: 0.9,
      minP: 0.05,
      repetitionPenalty: 1,
      stop: ["ROMEO:", "."],
    });
  });
});
