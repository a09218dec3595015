import { QueryClient, QueryClientProvider, QueryObserver } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import { expect, it } from "vitest";
import { useMoving } from "./use-moving";

const endless = (key: string) => ({
  queryKey: [key, 1],
  queryFn: () => new Promise<string>(() => undefined),
});

it("is what the page waits for, not what is fetched ahead", async () => {
  const client = new QueryClient();
  const { result } = renderHook(useMoving, {
    wrapper: ({ children }) => (
      <QueryClientProvider client={client}>{children}</QueryClientProvider>
    ),
  });
  await act(async () => {
    void client.query(endless("probe")).catch(() => undefined);
    await Promise.resolve();
  });
  expect(client.isFetching()).toBe(1);
  expect(result.current).toBe(false);
  await act(async () => {
    new QueryObserver(client, endless("attention-map")).subscribe(() => undefined);
    await Promise.resolve();
  });
  expect(result.current).toBe(true);
});
