import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { expect, it, vi } from "vitest";
import { Errand } from "./errand";

/** An answer that never comes, unless it is cancelled. */
function endless(key: string) {
  const signals: AbortSignal[] = [];
  const query = {
    queryKey: [key],
    queryFn: ({ signal }: { signal: AbortSignal }) => {
      signals.push(signal);
      return new Promise<string>(() => undefined);
    },
  };
  return { query, cancelled: () => signals.map(({ aborted }) => aborted) };
}

it("brings what is asked for, and nothing more once it is given up", async () => {
  const client = new QueryClient();
  const errand = new Errand(client);
  const start = vi.fn(() => Promise.resolve("there"));
  expect(await errand.fetch(["one"], start)).toBe("there");
  errand.giveUp();
  expect(await errand.fetch(["two"], start)).toBeUndefined();
  expect(start).toHaveBeenCalledTimes(1);
});

it("cancels what is under way and that nobody else waits for", async () => {
  const client = new QueryClient();
  const errand = new Errand(client);
  const { query, cancelled } = endless("stale");
  void errand.fetch(query.queryKey, () => client.query(query)).catch(() => undefined);
  await vi.waitFor(() => expect(cancelled()).toEqual([false]));
  errand.giveUp();
  await vi.waitFor(() => expect(cancelled()).toEqual([true]));
});

it("leaves alone what the page has come to wait for itself", async () => {
  const client = new QueryClient();
  const errand = new Errand(client);
  const { query, cancelled } = endless("wanted");
  void errand.fetch(query.queryKey, () => client.query(query)).catch(() => undefined);
  await vi.waitFor(() => expect(cancelled()).toEqual([false]));
  errand.giveUp();
  const stop = new QueryObserver(client, query).subscribe(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 0));
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(cancelled()).toEqual([false]);
  stop();
});
