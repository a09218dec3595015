import { create, fromJson, toBinary, toJson, type JsonValue } from "@bufbuild/protobuf";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  AnalyseRequestSchema,
  AnalyseResponseSchema,
  AttentionKind,
  type AnalyseRequest,
  type AttentionQuestion,
} from "@/gen/lab/v1/analysis_service_pb";
import { ProblemSchema } from "@/gen/lab/v1/error_pb";
import {
  LoadModelRequestSchema,
  LoadModelResponseSchema,
  TokenizeRequestSchema,
  TokenizeResponseSchema,
} from "@/gen/lab/v1/inference_service_pb";
import { LoadedModelSchema } from "@/gen/lab/v1/model_pb";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import { FixedWidthObserver } from "@/lib/fixed-width-observer";
import { AttentionExplorer } from "./attention-explorer";
import type { HeadChoice } from "./use-attention";

const OTHER = create(LoadedModelSchema, {
  name: "models/m0",
  source: "runs/nano-7f3k/checkpoints/a",
});
const MODEL = create(LoadedModelSchema, {
  name: "models/m1",
  source: "runs/nano-7f3k/peek",
  step: 10,
  spec: { layers: 2, heads: 3, context: 6 },
});

interface Asked {
  readonly request: AnalyseRequest;
  readonly attention: AttentionQuestion;
  readonly signal: AbortSignal | null | undefined;
}

/** Answers like the gateway: one token per word, every row spread evenly. */
class FakeLab {
  readonly asked: Asked[] = [];
  /** While set, attention requests hang until they are cancelled. */
  hang = false;
  refuse: string | null = null;
  /** The model was let go of, and has this name when it is loaded again. */
  forgotten: string | null = null;
  /** How many more attention requests find nobody there. */
  away = 0;

  readonly fetch = async (path: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const body = bodyOf(init);
    if (path === "/api/models:tokenize") {
      const tokens = tokensOf(fromJson(TokenizeRequestSchema, body).text);
      return Response.json(
        toJson(TokenizeResponseSchema, create(TokenizeResponseSchema, { tokens })),
      );
    }
    if (path === "/api/models:load") {
      expect(fromJson(LoadModelRequestSchema, body).source).toBe("runs/nano-7f3k/peek");
      const model = { ...MODEL, name: this.forgotten ?? MODEL.name };
      this.forgotten = null;
      return Response.json(
        toJson(LoadModelResponseSchema, create(LoadModelResponseSchema, { model })),
      );
    }
    expect(path).toBe("/api/models/m1:analyse");
    expect(new Headers(init?.headers).get("accept")).toBe("application/x-protobuf");
    const request = fromJson(AnalyseRequestSchema, body);
    if (request.question.case !== "attention") throw new Error("not about attention");
    const attention = request.question.value;
    this.asked.push({ request, attention, signal: init?.signal });
    if (this.refuse !== null) return problem(400, { title: this.refuse });
    if (this.away-- > 0) return problem(503, { title: "Inference does not answer" });
    if (this.forgotten !== null) {
      return problem(404, { title: "There is no models/m1", reason: "NOT_FOUND" });
    }
    if (this.hang) return untilAborted(init?.signal);
    return answer(request, attention);
  };
}

function bodyOf(init: RequestInit | undefined): JsonValue {
  return typeof init?.body === "string" ? (JSON.parse(init.body) as JsonValue) : {};
}

function tokensOf(text: string) {
  return text.split(" ").map((word, id) => ({ id, text: id === 0 ? word : ` ${word}` }));
}

/** The other model looks at the first token only. */
function answer({ text, otherModel }: AnalyseRequest, asked: AttentionQuestion): Response {
  const tokens = tokensOf(text);
  const single = asked.kind === AttentionKind.MEAN;
  const shape = [
    asked.layers.length,
    single ? 1 : asked.heads.length,
    tokens.length,
    tokens.length,
  ];
  const weightsOf = (weight: (query: number, key: number) => number) => {
    const exact = asked.dtype === Dtype.FLOAT32;
    const map = tokens.flatMap((_, query) =>
      tokens.flatMap((__, key) => (key <= query ? weight(query, key) : exact ? 0 : [])),
    );
    const all = Array.from({ length: (shape[0] ?? 0) * (shape[1] ?? 0) }, () => map).flat();
    const data = exact
      ? new Uint8Array(Float32Array.from(all).buffer)
      : Uint8Array.from(all, (one) => Math.round(Math.sqrt(one) * 255));
    const dtype = exact ? Dtype.FLOAT32 : Dtype.UINT8_SQRT_TRIANGLE;
    return [{ name: "weights", tensor: { shape, dtype, data } }];
  };
  const message = create(AnalyseResponseSchema, {
    tokens,
    tensors: weightsOf((query) => 1 / (query + 1)),
    otherTensors: otherModel === "" ? [] : weightsOf((_, key) => (key === 0 ? 1 : 0)),
  });
  const bytes = toBinary(AnalyseResponseSchema, message);
  return new Response(bytes.slice().buffer, {
    headers: { "content-type": "application/x-protobuf" },
  });
}

function problem(status: number, said: { title: string; reason?: string }): Response {
  const body = toJson(ProblemSchema, create(ProblemSchema, { status, ...said }));
  return Response.json(body, { status, headers: { "content-type": "application/problem+json" } });
}

function untilAborted(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
  });
}

let lab: FakeLab;
let chosen: [number, HeadChoice][];
let looks: number;

beforeEach(() => {
  lab = new FakeLab();
  chosen = [];
  looks = 0;
  vi.stubGlobal("fetch", lab.fetch);
  vi.stubGlobal("ResizeObserver", FixedWidthObserver);
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null);
});

interface Shown {
  text?: string;
  layer?: number;
  head?: HeadChoice;
  compared?: boolean;
}

function explorer(question: Shown = {}) {
  return (
    <AttentionExplorer
      model={MODEL}
      other={question.compared ? OTHER : undefined}
      spec={MODEL.spec}
      text={question.text ?? "the cat sat"}
      layer={question.layer ?? 0}
      head={question.head ?? 0}
      onText={() => undefined}
      onHead={(layer, head) => chosen.push([layer, head])}
      onReload={() => looks++}
    />
  );
}

function show(question?: Parameters<typeof explorer>[0]) {
  const queries = new QueryClient();
  const { rerender } = render(explorer(question), {
    wrapper: ({ children }) => (
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    ),
  });
  return (next: Parameters<typeof explorer>[0]) => rerender(explorer(next));
}

const settled = () =>
  waitFor(() => expect(screen.getByTestId("row-readout").dataset["pending"]).toBe("false"));

describe("AttentionExplorer", () => {
  it("reads the last row of the chosen head, exactly", async () => {
    show({ layer: 1, head: 2 });
    await settled();
    expect(screen.getByTestId("row-sum").textContent).toBe("row sums to 1.000");
    expect(screen.getByTestId("attention-map").dataset["tokens"]).toBe("3");
    const exact = lab.asked.filter(({ attention }) => attention.dtype === Dtype.FLOAT32);
    expect(exact.map(({ attention }) => [attention.layers, attention.heads])).toEqual([[[1], [2]]]);
  });

  it("asks for all thumbnails at once, packed", async () => {
    show();
    await settled();
    const packed = lab.asked.filter(({ attention }) => attention.dtype !== Dtype.FLOAT32);
    expect(packed.map(({ attention }) => [attention.layers, attention.heads])).toEqual([
      [
        [0, 1],
        [0, 1, 2],
      ],
    ]);
  });

  it("shows the mean over all heads of a layer, and rows still sum to 1", async () => {
    show({ head: "mean" });
    await settled();
    expect(screen.getByTestId("row-sum").textContent).toBe("row sums to 1.000");
    const exact = lab.asked.find(({ attention }) => attention.dtype === Dtype.FLOAT32);
    expect(exact?.attention.kind).toBe(AttentionKind.MEAN);
  });

  it("shows by how much a second model looks elsewhere", async () => {
    show({ compared: true });
    await settled();
    expect(lab.asked.every(({ request }) => request.otherModel === "models/m0")).toBe(true);
    expect(screen.getByTestId("attention-cell-other").textContent).toBe(
      ", in the other 1.0000 (+0.6667)",
    );
    fireEvent.click(screen.getByTestId("hide-sink"));
    await waitFor(() =>
      expect(screen.getByTestId("attention-cell-other").textContent).toContain("0.0000"),
    );
  });

  it("moves by arrow keys and stays at the edges", async () => {
    show({ layer: 1, head: 2 });
    await settled();
    for (const key of ["ArrowLeft", "ArrowUp", "ArrowRight"]) {
      fireEvent.keyDown(screen.getByTestId("attention-map"), { key });
    }
    expect(chosen).toEqual([
      [1, 1],
      [0, 2],
      [1, 2],
    ]);
  });

  it("locks a cell by click and lets go with Esc", async () => {
    show();
    await settled();
    const map = screen.getByTestId("attention-map");
    // Cells are 44 wide beside labels of 76: the third row, the second column.
    fireEvent.click(map, { clientX: 76 + 66, clientY: 76 + 110 });
    expect(map.dataset["locked"]).toBe("true");
    expect(screen.getByTestId("attention-cell").textContent).toContain(
      "·sat2 looks at ·cat1 0.3333",
    );
    fireEvent.keyDown(map, { key: "Escape" });
    expect(map.dataset["locked"]).toBe("false");
  });

  it("keeps the last picture dimmed and cancels what nobody waits for", async () => {
    const change = show();
    await settled();
    lab.hang = true;
    change({ text: "a dog ran" });
    await waitFor(() =>
      expect(lab.asked.some(({ request }) => request.text === "a dog ran")).toBe(true),
    );
    expect(screen.getByTestId("attention-map").dataset["pending"]).toBe("true");
    expect(screen.getByTestId("row-readout").dataset["pending"]).toBe("true");
    change({ text: "the cat sat" });
    const stale = lab.asked.filter(({ request }) => request.text === "a dog ran");
    await waitFor(() => expect(stale.every(({ signal }) => signal?.aborted === true)).toBe(true));
    await settled();
  });

  it("says that a text is too long instead of asking", async () => {
    show({ text: "one two three four five six seven" });
    await screen.findByTestId("text-too-long");
    expect(screen.getByTestId("text-too-long").textContent).toContain("7 tokens");
    expect(screen.getByTestId("text-too-long").textContent).toContain("at most 6");
    expect(lab.asked).toEqual([]);
  });

  it("shows why it was refused", async () => {
    lab.refuse = "The model is no longer in memory";
    show();
    expect((await screen.findByTestId("problem")).textContent).toContain(
      "The model is no longer in memory",
    );
  });

  it("brings a model back that was let go of", async () => {
    lab.forgotten = "models/m1";
    show();
    await settled();
    expect(screen.queryByTestId("problem")).toBeNull();
    expect(looks).toBe(0);
  });

  it("offers a new look when the old weights are gone for good", async () => {
    lab.forgotten = "models/m2";
    show();
    fireEvent.click(await screen.findByText("Look again"));
    expect(looks).toBe(1);
  });

  it("tells that something is away, and goes on by itself when it is back", async () => {
    lab.away = 2;
    show();
    expect((await screen.findByTestId("problem")).textContent).toContain("does not answer");
    await waitFor(() => expect(screen.queryByTestId("problem")).toBeNull(), { timeout: 10_000 });
    await settled();
    expect(screen.getByTestId("row-sum").textContent).toBe("row sums to 1.000");
  }, 15_000);
});
