import { create } from "@bufbuild/protobuf";
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
  overrides?: { optimizer?: { learningRate?: number } };
}
let sent: Sent[];

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
    new Response(JSON.stringify({ run }), { headers: { "content-type": "application/json" } }),
  );
}

function show() {
  const onStarted = vi.fn();
  render(<NewRunForm presets={[nano]} corpora={[verdict]} onStarted={onStarted} />);
  return { onStarted, start: screen.getByTestId<HTMLButtonElement>("start-run") };
}

beforeEach(() => {
  sent = [];
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
});
