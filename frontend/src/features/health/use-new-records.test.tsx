import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, render } from "@testing-library/react";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { healthKey } from "@/api/health";
import { EventSchema } from "@/gen/lab/v1/event_pb";
import { PublicationSchema, SnapshotSchema } from "@/gen/lab/v1/live_pb";
import type { LiveClient } from "@/live/client";
import type { ChannelSink } from "@/live/subscriptions";
import { LiveContext } from "@/live/use-channel";
import { useNewRecords } from "./use-new-records";

const RUN = "runs/a";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A panel that asks as the real one does, on a line that is told what to say. */
function panel() {
  let sink: ChannelSink | undefined;
  const line = {
    subscribe: (_name: string, follower: ChannelSink) => {
      sink = follower;
      return () => undefined;
    },
  } as unknown as LiveClient;
  const ask = vi.fn(() => Promise.resolve(0));
  const Panel = () => {
    useQuery({ queryKey: [...healthKey(RUN), "loss"], queryFn: ask, enabled: useNewRecords(RUN) });
    return null;
  };
  render(
    <QueryClientProvider client={new QueryClient()}>
      <LiveContext value={line}>
        <Panel />
      </LiveContext>
    </QueryClientProvider>,
  );
  const say = async (told: (to: ChannelSink) => void) => {
    await act(async () => {
      if (sink) told(sink);
      sink?.settled();
      await vi.advanceTimersByTimeAsync(1);
    });
  };
  return {
    ask,
    snapshot: () =>
      say((to) => {
        to.snapshot(create(SnapshotSchema));
        to.status("live");
      }),
    fact: (name: "healthMeasured" | "evaluationCompleted") =>
      say((to) => {
        const event = create(EventSchema, { fact: { case: name, value: {} } });
        to.publication(create(PublicationSchema, { payload: { case: "event", value: event } }));
      }),
    pass: async (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms)),
  };
}

test("asks once the channel is followed, then when a record was made, and never by the clock", async () => {
  const { ask, snapshot, fact, pass } = panel();
  await pass(5_000);
  expect(ask).toHaveBeenCalledTimes(0);
  await snapshot();
  expect(ask).toHaveBeenCalledTimes(1);
  await pass(60_000);
  expect(ask).toHaveBeenCalledTimes(1);
  await fact("evaluationCompleted");
  expect(ask).toHaveBeenCalledTimes(1);
  await fact("healthMeasured");
  expect(ask).toHaveBeenCalledTimes(2);
});

test("many records in a second are one question, and the last of them is not forgotten", async () => {
  const { ask, snapshot, fact, pass } = panel();
  await snapshot();
  await pass(2_000);
  for (let i = 0; i < 50; i += 1) {
    await fact("healthMeasured");
    await pass(5);
  }
  expect(ask).toHaveBeenCalledTimes(2);
  await pass(1_000);
  expect(ask).toHaveBeenCalledTimes(3);
  await pass(10_000);
  expect(ask).toHaveBeenCalledTimes(3);
});

test("a snapshot after a break asks again", async () => {
  const { ask, snapshot, pass } = panel();
  await snapshot();
  await pass(2_000);
  await snapshot();
  expect(ask).toHaveBeenCalledTimes(2);
});
