import { describe, expect, it } from "vitest";
import { clockSkewMs, LatencyWindow } from "./connection";

describe("the difference of the clocks", () => {
  it("is none while what the server says fits between question and answer", () => {
    expect([100, 120, 150].map((serverMs) => clockSkewMs(serverMs, 100, 150))).toEqual([0, 0, 0]);
  });

  it("is what is certain when it does not fit", () => {
    expect(clockSkewMs(5_150, 100, 150)).toBe(5_000);
    expect(clockSkewMs(-4_900, 100, 150)).toBe(-5_000);
  });
});

describe("the latency window", () => {
  it("tells quantiles of the newest facts", () => {
    const latency = new LatencyWindow();
    expect(latency.quantile(0.5)).toBeUndefined();
    for (let i = 1; i <= 100; i += 1) latency.add(i);
    expect(latency.quantile(0.5)).toBe(51);
    expect(latency.quantile(0.95)).toBe(96);
    for (let i = 0; i < 1000; i += 1) latency.add(7);
    expect(latency.quantile(0.95)).toBe(7);
    latency.clear();
    expect(latency.size).toBe(0);
  });

  it("never shows a fact from the future", () => {
    const latency = new LatencyWindow();
    latency.add(-30);
    expect(latency.quantile(0.5)).toBe(0);
  });
});
