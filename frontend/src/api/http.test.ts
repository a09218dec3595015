import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it, vi } from "vitest";
import { GetAttentionResponseSchema } from "@/gen/lab/v1/analysis_service_pb";
import {
  AdvanceRunRequestSchema,
  AdvanceRunResponseSchema,
  GetRunResponseSchema,
} from "@/gen/lab/v1/trainer_service_pb";
import { RunState } from "@/gen/lab/v1/run_pb";
import { request } from "./http";
import { ProblemError } from "./problem";

function answer(body: BodyInit | null, status = 200, contentType = "application/json") {
  const fetched = vi.fn<typeof fetch>(() =>
    Promise.resolve(new Response(body, { status, headers: { "content-type": contentType } })),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

async function problemOf(promise: Promise<unknown>) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ProblemError) return error.problem;
    throw error;
  }
  throw new Error("was not refused");
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a request", () => {
  it("sends ProtoJSON with the header foreign pages cannot send, and reads the answer", async () => {
    const fetched = answer(`{"run": {"name": "runs/a", "state": "RUN_STATE_PAUSED", "newer": 1}}`);
    const got = await request("POST", "/api/runs/a:advance", AdvanceRunResponseSchema, {
      schema: AdvanceRunRequestSchema,
      body: create(AdvanceRunRequestSchema, { steps: 5 }),
    });
    expect(got.run?.state).toBe(RunState.PAUSED);
    const [url, init] = fetched.mock.calls[0] ?? [];
    expect(url).toBe("/api/runs/a:advance");
    expect(init?.body).toBe(`{"steps":5}`);
    expect(init?.headers).toMatchObject({
      "x-lab-client": "dashboard",
      "content-type": "application/json",
    });
  });

  it("repeats a list in the query and leaves out what is not set", async () => {
    const fetched = answer("{}");
    await request("GET", "/api/runs/a/series", GetRunResponseSchema, {
      query: { series: ["loss", "grad_norm"], stepFrom: 3, stepTo: undefined },
    });
    expect(fetched.mock.calls[0]?.[0]).toBe(
      "/api/runs/a/series?series=loss&series=grad_norm&stepFrom=3",
    );
  });

  it("reads a binary answer where it asked for one", async () => {
    const message = create(GetAttentionResponseSchema, { layers: [0, 5] });
    const bytes = toBinary(GetAttentionResponseSchema, message);
    const fetched = answer(bytes, 200, "application/x-protobuf");
    const got = await request("POST", "/api/models/m:attention", GetAttentionResponseSchema, {
      binary: true,
    });
    expect(got.layers).toEqual([0, 5]);
    expect(fetched.mock.calls[0]?.[1]?.headers).toMatchObject({ accept: "application/x-protobuf" });
  });

  it("throws the gateway's problem whole", async () => {
    answer(
      JSON.stringify({
        title: "The run is not in a state that allows this",
        status: 409,
        detail: "runs/a is SUCCEEDED; allowed: delete.",
        reason: "RUN_STATE",
        metadata: { state: "SUCCEEDED" },
        violations: [{ field: "budget.batch", description: "must be at least 1" }],
        requestId: "r7",
        domain: "lab",
      }),
      409,
      "application/problem+json",
    );
    const problem = await problemOf(request("POST", "/api/runs/a:pause", GetRunResponseSchema));
    expect(problem).toMatchObject({
      status: 409,
      reason: "RUN_STATE",
      detail: "runs/a is SUCCEEDED; allowed: delete.",
      metadata: { state: "SUCCEEDED" },
      requestId: "r7",
    });
    expect(problem.violations[0]?.field).toBe("budget.batch");
  });

  it("makes a problem of an answer that explains nothing", async () => {
    answer("<html>Bad gateway</html>", 502, "text/html");
    const problem = await problemOf(request("GET", "/api/runs/a", GetRunResponseSchema));
    expect(problem).toMatchObject({ status: 502, title: "The lab answered 502" });
    answer("not json at all", 500);
    expect((await problemOf(request("GET", "/api/runs/a", GetRunResponseSchema))).status).toBe(500);
  });

  it("says that the lab does not answer when nothing does", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed to fetch")));
    const problem = await problemOf(request("GET", "/api/runs/a", GetRunResponseSchema));
    expect(problem).toMatchObject({ status: 0, title: "The lab does not answer" });
  });

  it("lets an abort through as an abort", async () => {
    const stop = new AbortController();
    vi.stubGlobal("fetch", () => {
      stop.abort();
      return Promise.reject(new DOMException("aborted", "AbortError"));
    });
    await expect(
      request("GET", "/api/runs/a", GetRunResponseSchema, { signal: stop.signal }),
    ).rejects.toThrow("aborted");
  });
});
