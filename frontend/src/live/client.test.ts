import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EventSchema } from "@/gen/lab/v1/event_pb";
import { CloseCode, type Publication, type Snapshot } from "@/gen/lab/v1/live_pb";
import { FrameLoop } from "@/lib/frame";
import { openChannel, type ChannelReducer } from "./channel";
import { LiveClient } from "./client";
import { FakeServer } from "./fake-server";

/** A channel of log lines: the list of their steps, so that gaps, doubles and disorder show. */
const steps: ChannelReducer<number[]> = {
  initial: () => [],
  snapshot: (state, { state: said }: Snapshot) =>
    said.case === "events" ? said.value.events.map((event) => Number(event.sequence)) : state,
  publication: (state, { payload }: Publication) =>
    payload.case === "event" ? [...state, Number(payload.value.sequence)] : state,
};

function event(sequence: number) {
  return { case: "event" as const, value: create(EventSchema, { sequence: BigInt(sequence) }) };
}

let server: FakeServer;
let client: LiveClient;
let truth: number[];

function happen(count: number): void {
  for (let i = 0; i < count; i += 1) {
    truth.push(truth.length + 1);
    server.publish("runs/a/logs", event(truth.length));
  }
}

async function settle(ms = 50): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

function follow() {
  const channel = openChannel(client, "runs/a/logs", steps);
  const seen = vi.fn();
  const stop = channel.follow(seen);
  return { channel, seen, stop };
}

beforeEach(() => {
  vi.useFakeTimers();
  truth = [];
  server = new FakeServer();
  server.addChannel("runs/a/logs", () => ({
    case: "events",
    value: { events: truth.map((sequence) => ({ sequence: BigInt(sequence) })) },
  }));
  const frames = new FrameLoop({
    hidden: () => false,
    soon: (callback) => callback(),
    schedule: (callback) => {
      const timer = setTimeout(callback, 16);
      return () => clearTimeout(timer);
    },
    onVisibilityChange: () => undefined,
  });
  client = new LiveClient({
    url: "ws://lab/api/live",
    openSocket: server.open,
    frames,
    random: () => 0.5,
  });
  client.connect();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("the live client", () => {
  it("says hello first, then shows snapshot and publications", async () => {
    happen(3);
    const { channel } = follow();
    await settle();
    expect(server.connections[0]?.received[0]?.message.case).toBe("hello");
    expect(client.connection.state).toBe("live");
    expect(channel.getView()).toMatchObject({ state: [1, 2, 3], status: "live" });
    happen(2);
    await settle();
    expect(channel.getView().state).toEqual([1, 2, 3, 4, 5]);
  });

  it("asks for exactly what was missed after a break, and no more", async () => {
    happen(2);
    const { channel } = follow();
    await settle();
    server.drop();
    expect(channel.getView().status).toBe("stale");
    happen(5);
    await settle(5_000);
    expect(channel.getView()).toMatchObject({ state: [1, 2, 3, 4, 5, 6, 7], status: "live" });
    const again = server.connections[1]?.received.find(
      (frame) => frame.message.case === "subscribe",
    );
    expect(again?.message.value).toMatchObject({ since: { epoch: "e1", offset: 2n } });
  });

  it("takes a fresh snapshot when the history it stood in is gone", async () => {
    happen(2);
    const { channel } = follow();
    await settle();
    server.drop();
    const history = server.channels.get("runs/a/logs");
    if (history) history.epoch = "e2";
    truth = [1, 2, 30, 40];
    await settle(5_000);
    expect(channel.getView()).toMatchObject({ state: [1, 2, 30, 40], status: "live" });
  });

  it("counts what is delivered twice once", async () => {
    const { channel } = follow();
    await settle();
    happen(3);
    for (const socket of server.sockets) {
      socket.publish("runs/a/logs", 2, event(2));
      socket.publish("runs/a/logs", 3, event(3));
    }
    await settle();
    expect(channel.getView().state).toEqual([1, 2, 3]);
  });

  it("keeps every event through many breaks at any moment", async () => {
    const { channel } = follow();
    for (let round = 0; round < 30; round += 1) {
      happen((round * 7) % 5);
      await settle((round * 13) % 40);
      if (round % 3 === 0) server.drop(round % 2 === 0 ? 1006 : CloseCode.SLOW);
      happen(round % 2);
      await settle((round * 31) % 700);
    }
    await settle(20_000);
    expect(truth.length).toBeGreaterThan(50);
    expect(channel.getView().state).toEqual(truth);
  });

  it("acknowledges what it has drawn: many frames and snapshots at once, a few within a quarter second", async () => {
    const acks = () =>
      (server.connections[0]?.received ?? []).flatMap(({ message }) =>
        message.case === "ack" ? [message.value.frame] : [],
      );
    follow();
    await vi.advanceTimersByTimeAsync(40);
    expect(acks()).toEqual([3n]); // with the snapshot
    happen(10);
    await vi.advanceTimersByTimeAsync(20);
    expect(acks()).toEqual([3n, 13n]);
    happen(2);
    await vi.advanceTimersByTimeAsync(100);
    happen(2);
    await vi.advanceTimersByTimeAsync(100);
    expect(acks()).toEqual([3n, 13n]);
    await vi.advanceTimersByTimeAsync(100);
    expect(acks()).toEqual([3n, 13n, 17n]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(acks()).toHaveLength(3);
  });

  it("asks once for all who come in the same moment, and not again for one who wants the news alone", async () => {
    const asked = () =>
      (server.connections[0]?.received ?? []).filter(({ message }) => message.case === "subscribe");
    const open = (newsOnly: boolean) => {
      const count = openChannel(client, "runs/a/logs", {
        initial: () => 0,
        snapshot: (seen: number) => seen,
        publication: (seen: number) => seen + 1,
        newsOnly,
      });
      count.follow(() => undefined);
      return count;
    };
    await settle();
    happen(3);
    const { channel } = follow();
    const counts = [open(false), open(true)];
    await settle();
    expect(asked()).toHaveLength(1);
    counts.push(open(true));
    happen(2);
    await settle();
    expect(asked()).toHaveLength(1);
    expect(counts.map((count) => count.getView())).toMatchObject(
      Array.from({ length: 3 }, () => ({ state: 2, status: "live" })),
    );
    counts.push(open(false)); // it needs the state, and everybody gets it
    await settle();
    expect(asked()).toHaveLength(2);
    expect(channel.getView().state).toEqual([1, 2, 3, 4, 5]);
  });

  it("wakes its followers once for all that a frame brought", async () => {
    const { seen } = follow();
    await settle();
    seen.mockClear();
    happen(10);
    await settle();
    expect(seen).toHaveBeenCalledTimes(1);
  });

  it("gives a silent line up after 25 seconds and comes back", async () => {
    follow();
    await settle();
    await settle(24_000);
    expect(server.connections).toHaveLength(1);
    await settle(2_000);
    expect(server.connections).toHaveLength(2);
    expect(client.connection.state).toBe("live");
  });

  it("stays when heartbeats come", async () => {
    follow();
    await settle();
    for (let i = 0; i < 10; i += 1) {
      await settle(10_000);
      for (const socket of server.sockets)
        socket.say({ message: { case: "heartbeat", value: {} } });
    }
    expect(server.connections).toHaveLength(1);
  });

  it("does not come back when told not to, says why, and tries again when asked", async () => {
    const { channel } = follow();
    await settle();
    server.drop(CloseCode.PROTOCOL_MISMATCH);
    await settle(60_000);
    expect(server.connections).toHaveLength(1);
    expect(client.connection).toEqual({
      state: "refused",
      reason: "the lab was updated; reload the page",
    });
    client.connect();
    await settle();
    expect(client.connection.state).toBe("live");
    expect(channel.getView().status).toBe("live");
  });

  it("waits longer while the gateway is away, is stale since the loss, and does not wait when nudged", async () => {
    follow();
    await settle();
    const lostAtMs = Date.now();
    server.up = false;
    server.drop();
    await settle(10_000);
    const tries = server.connections.length;
    expect(tries).toBeGreaterThan(3);
    expect(tries).toBeLessThan(12);
    expect(client.connection).toMatchObject({ state: "reconnecting", staleSinceMs: lostAtMs });
    server.up = true;
    client.nudge();
    await settle();
    expect(client.connection.state).toBe("live");
  });

  it("tells the followers of a channel that does not exist", async () => {
    const channel = openChannel(client, "runs/nobody", steps);
    channel.follow(() => undefined);
    await settle();
    expect(channel.getView()).toMatchObject({
      status: "refused",
      problem: { reason: "NOT_FOUND", title: "Nothing has that name" },
    });
  });

  it("brings a second follower with another reducer the whole state", async () => {
    happen(3);
    const { channel } = follow();
    await settle();
    happen(1);
    await settle();
    const counting: ChannelReducer<number> = {
      initial: () => 0,
      snapshot: (_, { state }) => (state.case === "events" ? state.value.events.length : 0),
      publication: (count) => count + 1,
    };
    const late = openChannel(client, "runs/a/logs", counting);
    late.follow(() => undefined);
    await settle();
    happen(1);
    await settle();
    expect(late.getView().state).toBe(5);
    expect(channel.getView().state).toEqual([1, 2, 3, 4, 5]);
  });

  it("leaves a channel a while after its last follower", async () => {
    const { stop } = follow();
    await settle();
    stop();
    await settle(10_000);
    const last = server.connections[0]?.received.at(-1);
    expect(last?.message).toMatchObject({
      case: "unsubscribe",
      value: { channel: "runs/a/logs" },
    });
  });

  it("starts over rather than skip a frame it cannot read", async () => {
    const { channel } = follow();
    await settle();
    happen(2);
    await settle();
    for (const socket of [...server.sockets]) {
      socket.onmessage?.({ data: new Uint8Array([255, 255, 255]).buffer });
    }
    happen(1);
    await settle(5_000);
    expect(server.connections.length).toBeGreaterThan(1);
    expect(channel.getView().state).toEqual([1, 2, 3]);
  });
});
