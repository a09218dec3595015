import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CloseCode } from "@/gen/lab/v1/live_pb";
import { FrameLoop } from "@/lib/frame";
import { LiveClient } from "@/live/client";
import { FakeServer } from "@/live/fake-server";
import { LiveContext } from "@/live/use-channel";
import { ConnectionStatus } from "./connection-status";

let server: FakeServer;

async function settle(ms: number) {
  await act(() => vi.advanceTimersByTimeAsync(ms));
}

function status() {
  return screen.getByTestId("connection-status");
}

beforeEach(async () => {
  vi.useFakeTimers();
  server = new FakeServer();
  const client = new LiveClient({
    url: "ws://lab/api/live",
    openSocket: server.open,
    frames: new FrameLoop(),
    random: () => 0.5,
  });
  client.connect();
  render(
    <LiveContext value={client}>
      <ConnectionStatus />
    </LiveContext>,
  );
  expect(status().dataset["state"]).toBe("connecting");
  await settle(100);
});

afterEach(() => {
  vi.useRealTimers();
});

describe("the connection status", () => {
  it("says live", () => {
    expect(status().dataset["state"]).toBe("live");
    expect(status().textContent).toBe("live");
  });

  it("says since when the page is stale, why, and when it tries again", async () => {
    server.up = false;
    act(() => server.drop(CloseCode.SHUTDOWN, ""));
    await settle(3_000);
    expect(status().dataset["state"]).toBe("reconnecting");
    expect(status().textContent).toMatch(
      /^stale for 3.0 s: the connection was lost, next try in \d+ s/,
    );
  });

  it("says why it was told not to come back, and offers to try", async () => {
    act(() => server.drop(CloseCode.TOO_MANY, ""));
    await settle(30_000);
    expect(status().dataset["state"]).toBe("refused");
    expect(status().textContent).toContain("too much was asked for from this tab");
    act(() => screen.getByTestId("connection-retry").click());
    await settle(100);
    expect(status().dataset["state"]).toBe("live");
  });
});
