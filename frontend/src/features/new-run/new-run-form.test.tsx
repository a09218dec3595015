import { create } from "@bufbuild/protobuf";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CorpusSchema } from "@/gen/lab/v1/corpus_pb";
import { PresetSchema } from "@/gen/lab/v1/trainer_service_pb";
import { NewRunForm } from "./new-run-form";

const nano = create(PresetSchema, {
  name: "nano",
  parameters: 9_940_000n,
  spec: {
    data: { corpus: "verdict" },
    optimizer: { learningRate: 0.001 },
    budget: { batch: 8, steps: 600 },
    hooks: { samplePrompts: ["ROMEO:"] },
  },
});
const verdict = create(CorpusSchema, {
  name: "corpora/verdict",
  title: "The Verdict",
  tokens: 5146n,
});

interface Sent {
  preset: string;
  validateOnly?: boolean;
  requestId?: string;
  overrides?: { optimizer?: { learningRate?: number }; budget?: { microBatch?: number } };
}
let sent: Sent[];
let preflight: object;

/** Refuses learning rates that are not above 0, as the trainer does. */
function fakeLab(_: unknown, init?: RequestInit): Promise<Response> {
  const body = JSON.parse(typeof init?.body === "string" ? init.body : "{}") as Sent;
  sent.push(body);
  const rate = body.overrides?.optimizer?.learningRate;
  if (rate !== undefined && rate <= 0) {
    const violation = { field: "optimizer.learning_rate", description: "must be above 0" };
    const problem = { title: "A field cannot be accepted", status: 400, violations: [violation] };
    return Promise.resolve(
      new Response(JSON.stringify(problem), {
        status: 400,
        headers: { "content-type": "application/problem+json" },
      }),
    );
  }
  const run = { name: body.validateOnly ? "" : "runs/nano-1", stats: { parameters: "9943520" } };
  return Promise.resolve(
    new Response(JSON.stringify({ run, preflight }), {
      headers: { "content-type": "application/json" },
    }),
  );
}

function show() {
  const onStarted = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <NewRunForm presets={[nano]} corpora={[verdict]} onStarted={onStarted} />
    </QueryClientProvider>,
  );
  return { onStarted, start: screen.getByTestId<HTMLButtonElement>("start-run") };
}

beforeEach(() => {
  sent = [];
  preflight = {};
  vi.stubGlobal("fetch", fakeLab);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the form of a new run", () => {
  it("says at the field what the server finds wrong, and cannot be started until it is right", async () => {
    const { start } = show();
    const rate = screen.getByLabelText("Learning rate");
    fireEvent.change(rate, { target: { value: "-1" } });
    await screen.findByText("must be above 0");
    expect(rate.getAttribute("aria-invalid")).toBe("true");
    expect(start.disabled).toBe(true);
    fireEvent.change(rate, { target: { value: "6e-4" } });
    await waitFor(() => expect(start.disabled).toBe(false));
    expect(screen.queryByText("must be above 0")).toBeNull();
    expect(sent.every((body) => body.validateOnly)).toBe(true);
  });

  it("does not send what is no number at all", async () => {
    const { start } = show();
    await waitFor(() => expect(sent).toHaveLength(1));
    fireEvent.change(screen.getByLabelText("Batch"), { target: { value: "eight" } });
    expect(start.disabled).toBe(true);
    expect(screen.getByText(/must be a whole number/)).toBeTruthy();
  });

  it("starts the run once, with an id that makes repeating safe", async () => {
    const { onStarted, start } = show();
    await waitFor(() => expect(sent).toHaveLength(1));
    fireEvent.click(start);
    await waitFor(() => expect(onStarted).toHaveBeenCalledWith("runs/nano-1"));
    const orders = sent.filter((body) => !body.validateOnly);
    expect(orders).toHaveLength(1);
    expect(orders[0]).toMatchObject({ preset: "nano" });
    expect(orders[0]?.requestId).toMatch(/^[0-9a-f]{32}$/);
  });

  it("asks again while the times are measured, and shows them when they are there", async () => {
    preflight = { timing: "TIMING_SOURCE_MEASURING", parameters: "9943520" };
    show();
    await waitFor(() => expect(screen.getAllByText("being measured")).toHaveLength(2));
    preflight = { timing: "TIMING_SOURCE_MEASURED", stepSecs: 0.5, durationSecs: 300 };
    await screen.findByText("5 m 00 s", {}, { timeout: 8_000 });
    expect(screen.queryByText("being measured")).toBeNull();
  }, 10_000);

  it("says that a busy machine's times are measured again, and asks until they are", async () => {
    const note = "measured beside other programs";
    const times = { stepSecs: 0.5, durationSecs: 300, timingNote: note };
    preflight = { timing: "TIMING_SOURCE_MEASURING", ...times };
    show();
    await screen.findByText(`, ${note}; being measured again`);
    expect(screen.getByText("5 m 00 s")).toBeTruthy();
    preflight = { timing: "TIMING_SOURCE_MEASURED", stepSecs: 0.25, durationSecs: 150 };
    await screen.findByText("2 m 30 s", {}, { timeout: 8_000 });
    expect(screen.queryByText(note, { exact: false })).toBeNull();
  }, 10_000);

  it("sets what would help with one click", async () => {
    preflight = {
      problems: [
        { field: "budget.micro_batch", description: "is large", remedy: "budget.micro_batch=2" },
      ],
    };
    show();
    fireEvent.click(await screen.findByTestId("preflight-fix"));
    await waitFor(() => expect(sent.at(-1)?.overrides?.budget?.microBatch).toBe(2));
    expect(screen.getByLabelText<HTMLInputElement>("Micro-batch").value).toBe("2");
  });
});
