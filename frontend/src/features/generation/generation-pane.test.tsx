import { create, fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ProblemSchema } from "@/gen/lab/v1/error_pb";
import {
  FinishReason,
  GenerateRequestSchema,
  GenerateResponseSchema,
  type GenerateRequest,
} from "@/gen/lab/v1/inference_service_pb";
import { GenerationSchema } from "@/gen/lab/v1/live_pb";
import { LoadedModelSchema } from "@/gen/lab/v1/model_pb";
import { CreateGenerationResponseSchema } from "@/gen/lab/v1/rest_pb";
import { FixedWidthObserver } from "@/lib/fixed-width-observer";
import { FrameLoop } from "@/lib/frame";
import { LiveClient } from "@/live/client";
import { FakeServer } from "@/live/fake-server";
import { LiveContext } from "@/live/use-channel";
import { GenerationPane } from "./generation-pane";

const MODEL = create(LoadedModelSchema, { name: "models/m1", step: 1204 });
const NAME = "generations/g1";

let server: FakeServer;
let orders: GenerateRequest[];
let cancelled: string[];
let refusal: string | null;

beforeEach(() => {
  server = new FakeServer();
  orders = [];
  cancelled = [];
  refusal = null;
  vi.stubGlobal("ResizeObserver", FixedWidthObserver);
  vi.stubGlobal("fetch", (path: string, init?: RequestInit): Promise<Response> => {
    if (init?.method === "DELETE") {
      cancelled.push(path);
      return Promise.resolve(new Response(null, { status: 204 }));
    }
    if (refusal !== null) {
      const body = toJson(ProblemSchema, create(ProblemSchema, { title: refusal, status: 400 }));
      return Promise.resolve(
        Response.json(body, {
          status: 400,
          headers: { "content-type": "application/problem+json" },
        }),
      );
    }
    const body = typeof init?.body === "string" ? init.body : "{}";
    orders.push(fromJson(GenerateRequestSchema, JSON.parse(body) as JsonValue));
    const answer = create(CreateGenerationResponseSchema, { generation: { name: NAME } });
    return Promise.resolve(Response.json(toJson(CreateGenerationResponseSchema, answer)));
  });
});

function show() {
  server.addChannel(NAME, () => ({
    case: "generation",
    value: create(GenerationSchema, { name: NAME }),
  }));
  const live = new LiveClient({
    url: "ws://lab/api/live",
    openSocket: server.open,
    frames: new FrameLoop({
      hidden: () => false,
      soon: (callback) => callback(),
      schedule: (callback) => {
        const timer = setTimeout(callback);
        return () => clearTimeout(timer);
      },
      onVisibilityChange: () => undefined,
    }),
  });
  live.connect();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <LiveContext value={live}>
        <GenerationPane model={MODEL} />
      </LiveContext>
    </QueryClientProvider>,
  );
}

const subscribed = () =>
  waitFor(() =>
    expect(
      server.connections[0]?.received.some(
        ({ message }) => message.case === "subscribe" && message.value.channel === NAME,
      ),
    ).toBe(true),
  );

function say(index: number, text: string) {
  server.publish(NAME, {
    case: "token",
    value: create(GenerateResponseSchema, {
      index,
      token: { id: index, text },
      text,
      probability: 0.5,
      alternatives: [{ token: { id: 99, text: " else" }, probability: 0.25 }],
    }),
  });
}

const text = () => screen.getByTestId("generated-text").textContent;

describe("GenerationPane", () => {
  it("streams a text, shows alternatives and how it ended", async () => {
    show();
    fireEvent.change(screen.getByTestId("prompt"), { target: { value: "ROMEO:" } });
    fireEvent.change(screen.getByTestId("max-tokens"), { target: { value: "2" } });
    fireEvent.click(screen.getByTestId("generate"));
    await subscribed();
    act(() => {
      say(0, " I");
      say(1, " have");
    });
    await waitFor(() => expect(text()).toBe(" I have"));
    expect(orders[0]).toMatchObject({ model: "models/m1", prompt: "ROMEO:", maxTokens: 2 });

    const second = screen.getByTestId("generated-text").lastElementChild;
    if (second) fireEvent.click(second);
    expect(screen.getByTestId("alternatives").textContent).toContain("·else25.0 %");
    expect(screen.getByTestId("alternatives").textContent).toContain("·have50.0 %drawn");

    act(() => {
      server.publish(NAME, {
        case: "token",
        value: create(GenerateResponseSchema, { index: 2, finishReason: FinishReason.LENGTH }),
      });
    });
    await waitFor(() =>
      expect(screen.getByTestId("generation-status").textContent).toContain("reached max tokens"),
    );
    expect(screen.getByTestId<HTMLButtonElement>("generate").disabled).toBe(false);
  });

  it("goes on after a broken line without losing or doubling a token", async () => {
    show();
    fireEvent.click(screen.getByTestId("generate"));
    await subscribed();
    act(() => say(0, "a"));
    await waitFor(() => expect(text()).toBe("a"));
    act(() => {
      server.drop();
      say(1, "b");
    });
    await waitFor(() => expect(text()).toBe("ab"), { timeout: 5_000 });
  });

  it("cancels", async () => {
    show();
    fireEvent.click(screen.getByTestId("generate"));
    await subscribed();
    await waitFor(() =>
      expect(screen.getByTestId<HTMLButtonElement>("cancel-generation").disabled).toBe(false),
    );
    fireEvent.click(screen.getByTestId("cancel-generation"));
    await waitFor(() => expect(cancelled).toEqual([`/api/${NAME}`]));
  });

  it("shows a refusal and asks for nothing when a number is no number", async () => {
    show();
    refusal = "The prompt holds no token";
    fireEvent.click(screen.getByTestId("generate"));
    expect((await screen.findByTestId("problem")).textContent).toContain("holds no token");

    fireEvent.change(screen.getByTestId("top-k"), { target: { value: "few" } });
    refusal = null;
    fireEvent.click(screen.getByTestId("generate"));
    expect(screen.getByTestId("top-k").getAttribute("aria-invalid")).toBe("true");
    expect(orders).toEqual([]);
  });
});
