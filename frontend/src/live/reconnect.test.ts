import { describe, expect, it } from "vitest";
import { CloseCode } from "@/gen/lab/v1/live_pb";
import { closeReason, LONGEST_DELAY_MS, mayReconnect, reconnectDelayMs } from "./reconnect";

describe("reconnecting", () => {
  it("spreads the first try over 300 ms", () => {
    expect(reconnectDelayMs(0, 0)).toBe(0);
    expect(reconnectDelayMs(0, 0.999999)).toBe(300);
  });

  it("doubles the ceiling with each attempt up to fifteen seconds", () => {
    const ceilings = [0, 1, 2, 3, 4, 5, 6, 40].map((attempt) => reconnectDelayMs(attempt, 1));
    expect(ceilings).toEqual([300, 600, 1200, 2400, 4800, 9600, LONGEST_DELAY_MS, 15_000]);
  });

  it("comes back after 4000 to 4099 and ordinary losses, not after 4400 to 4499", () => {
    expect(
      [1000, 1006, 1012, CloseCode.SHUTDOWN, CloseCode.SLOW, 4399, 4500].map(mayReconnect),
    ).toEqual(Array(7).fill(true));
    expect(
      [CloseCode.BAD_FRAME, CloseCode.PROTOCOL_MISMATCH, CloseCode.TOO_MANY].map(mayReconnect),
    ).toEqual([false, false, false]);
  });

  it("says why in words, the server's own first", () => {
    expect(closeReason(4000, "")).toBe("the gateway is restarting");
    expect(closeReason(4000, "going down for an update")).toBe("going down for an update");
    expect(closeReason(1006, "")).toBe("the connection was lost");
  });
});
