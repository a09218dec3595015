// What the Inside page says before it can show anything; what it shows then has tests of its own.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import { createMemoryRouter, RouterProvider } from "react-router";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FrameLoop } from "@/lib/frame";
import { LiveClient } from "@/live/client";
import { FakeServer } from "@/live/fake-server";
import { LiveContext } from "@/live/use-channel";
import { InsidePage } from "./inside";

vi.mock("./inside-run", () => ({
  InsideRun: ({ runId }: { runId: string }) => <output>inside {runId}</output>,
}));

const RUN = { name: "runs/nano-1" };
const NOTHING = { checkpoints: [] };

let server: FakeServer;
/** Answers what the page asks for: the list of checkpoints. */
let answer: (said: object, status?: number) => void;

beforeEach(() => {
  server = new FakeServer();
  server.addChannel("checkpoints", () => ({ case: undefined }));
  const asked = new Promise<() => Response>((resolve) => {
    answer = (said, status = 200) => {
      const kind = status === 200 ? "application/json" : "application/problem+json";
      const headers = { "content-type": kind };
      resolve(() => new Response(JSON.stringify(said), { status, headers }));
    };
  });
  vi.stubGlobal("fetch", async () => (await asked)());
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function open(address = "/inside", runs?: { name: string }[]) {
  if (runs) server.addChannel("runs", () => ({ case: "runs", value: { runs } }));
  const client = new LiveClient({
    url: "ws://lab/api/live",
    openSocket: server.open,
    frames: new FrameLoop(),
    random: () => 0.5,
  });
  client.connect();
  const routes = [{ path: "*", element: <InsidePage /> }];
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <LiveContext value={client}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={createMemoryRouter(routes, { initialEntries: [address] })} />
      </QueryClientProvider>
    </LiveContext>,
  );
}

const said = (text: RegExp) => waitFor(() => expect(document.body.textContent).toMatch(text));
const inside = () => screen.queryByRole("status")?.textContent;

describe("the Inside page, before it can show a model", () => {
  it("waits for the list of runs and says so", async () => {
    server.up = false;
    open();
    answer(NOTHING);
    await said(/Waiting for the list of runs/);
    expect(inside()).toBe(undefined);
  });

  it("says where to look when the runs cannot be had", async () => {
    open(); // there is no channel of runs
    await said(/Waiting for the list of runs.*System shows how each process is/);
    expect(inside()).toBe(undefined);
  });

  it("then waits for the checkpoints, and then it is there", async () => {
    open("/inside", [RUN]);
    await said(/Waiting for the list of checkpoints/);
    expect(inside()).toBe(undefined);
    answer(NOTHING);
    await waitFor(() => expect(inside()).toBe("inside nano-1"));
    expect(document.body.textContent).not.toMatch(/Waiting/);
  });

  it("shows what needs no checkpoint when their list is refused", async () => {
    open("/inside", [RUN]);
    answer({ title: "The disk is gone", status: 503 }, 503);
    await said(/No list of checkpoints/);
    await waitFor(() => expect(inside()).toBe("inside nano-1"));
  });

  it("tells an empty lab from a run that is not there", async () => {
    open("/inside", []);
    answer(NOTHING);
    await said(/No model yet.*Start a run/);
    cleanup();
    open("/inside?run=nobody", [RUN]);
    await said(/No such run.*nobody/);
    expect(inside()).toBe(undefined);
  });
});
