// The scorecard where a run's own records do not tell: beside another run's weights, and of a model without records.
import { create, fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  AnalyseRequestSchema,
  AnalyseResponseSchema,
  type AnalyseRequest,
} from "@/gen/lab/v1/analysis_service_pb";
import { LoadedModelSchema } from "@/gen/lab/v1/model_pb";
import { ProbeRecordSchema } from "@/gen/lab/v1/recording_pb";
import { Dtype } from "@/gen/lab/v1/tensor_pb";
import { FixedWidthObserver } from "@/lib/fixed-width-observer";
import { HeadScoresPanel } from "./head-scores-panel";
import { BEHAVIOURS } from "./lesson";
import type { WeightsToAsk } from "./use-asked-scores";

const MODEL = create(LoadedModelSchema, { name: "models/mine", step: 20 });
const OTHER = create(LoadedModelSchema, { name: "models/theirs", step: 8 });
/** One layer of two heads, as the run saw them. */
const RECORDS = [create(ProbeRecordSchema, { step: 20, layers: 1, heads: 2 })];

let asked: AnalyseRequest[];

/** What the first head gives to the token before: 0.75 in the first model, 0.5 in the other. */
function scoresOf(previous: number) {
  const byBehaviour = BEHAVIOURS.map((_, index) => (index === 0 ? previous : 0));
  const floats = (name: string, shape: number[], numbers: number[]) => {
    const data = new Uint8Array(Float32Array.from(numbers).buffer);
    return { name: `synthetic_${name}`, tensor: { shape, dtype: Dtype.FLOAT32, data } };
  };
  const scores = [...byBehaviour, ...BEHAVIOURS.map(() => 0)];
  return [
    ...["raw", "corrected", "sink_free"].map((name) => floats(name, [1, 2, 5], scores)),
    ...["entropy", "distance"].map((name) => floats(name, [1, 2], [0.5, 0.5])),
  ];
}

function lab(path: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  expect(path).toBe("/api/models/mine:analyse");
  const body = JSON.parse(typeof init?.body === "string" ? init.body : "{}") as JsonValue;
  const request = fromJson(AnalyseRequestSchema, body);
  asked.push(request);
  const answer = create(AnalyseResponseSchema, {
    step: 20,
    otherStep: 8,
    tensors: scoresOf(0.75),
    otherTensors: request.otherModel === "" ? [] : scoresOf(0.5),
  });
  return Promise.resolve(Response.json(toJson(AnalyseResponseSchema, answer)));
}

class InSight implements Pick<IntersectionObserver, "observe" | "disconnect"> {
  constructor(private readonly told: (entries: { isIntersecting: boolean }[]) => void) {}
  observe(): void {
    this.told([{ isIntersecting: true }]);
  }
  disconnect(): void {
    // nothing is observed
  }
}

beforeEach(() => {
  asked = [];
  vi.stubGlobal("fetch", lab);
  vi.stubGlobal("ResizeObserver", FixedWidthObserver);
  vi.stubGlobal("IntersectionObserver", InSight);
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const client = () => new QueryClient();

function panel(records: typeof RECORDS, weights: Partial<WeightsToAsk>, held: QueryClient) {
  return (
    <QueryClientProvider client={held}>
      <HeadScoresPanel
        records={records}
        loading={false}
        at={20}
        weights={{ model: MODEL, text: "", ready: true, ...weights }}
        every={10}
        chosen={{ layer: 0, head: 0 }}
        onChoose={() => undefined}
      />
    </QueryClientProvider>
  );
}

function show(records: typeof RECORDS, weights: Partial<WeightsToAsk>) {
  render(panel(records, weights, client()));
}

const grid = () => screen.getByTestId("score-grid").dataset;
const readout = () => screen.getByTestId("score-readout").textContent;

it("asks both models when another run's weights are compared with", async () => {
  show(RECORDS, { model: MODEL, other: OTHER, otherRun: "diary", text: "The cat" });
  await waitFor(() => expect(grid()["compared"]).toBe("true"));
  expect(asked.map(({ text, otherModel, question }) => [text, otherModel, question.case])).toEqual([
    ["The cat", "models/theirs", "heads"],
  ]);
  expect(readout()).toMatch(/^head 0\.0 at step 20: 0\.75 \(0\.50 at step 8\)/);
  expect(document.body.textContent).toContain("score of diary at step 8 less that");
});

it("says what such a comparison needs where no weights were kept, and asks nothing", () => {
  show(RECORDS, { model: undefined, otherRun: "diary", text: "The cat" });
  expect(screen.getByTestId("scores-need-weights")).toBeTruthy();
  expect(grid()["compared"]).toBe("false");
  expect(asked).toEqual([]);
});

it("asks a model that has no records, as an import, and names its heads with evidence", async () => {
  show([], { model: MODEL, text: "" });
  await waitFor(() => expect(grid()["step"]).toBe("20"));
  expect(readout()).toBe("head 0.0 at step 20: 0.75 previous, synthetic only");
  expect(asked.map(({ otherModel }) => otherModel)).toEqual([""]);
});

it("asks nothing while the run's own records tell", () => {
  show(RECORDS, { model: MODEL, text: "The cat" });
  expect(grid()["step"]).toBe("20");
  expect(asked).toEqual([]);
});

it("lets the maps and the colours of the text come first, and keeps what it shows meanwhile", async () => {
  const held = client();
  const { rerender } = render(panel([], { ready: false }, held));
  expect(screen.queryByTestId("score-grid")).toBeNull();
  expect(asked).toEqual([]);
  rerender(panel([], {}, held));
  await waitFor(() => expect(grid()["step"]).toBe("20"));
  rerender(panel([], { ready: false, model: { ...MODEL, name: "models/next" } }, held));
  expect(grid()["step"]).toBe("20");
  expect(asked.length).toBe(1);
});
