import { create } from "@bufbuild/protobuf";
import { fireEvent, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { RunSchema, RunState, RunVerb } from "@/gen/lab/v1/run_pb";
import { RunControls } from "./run-controls";

function show(allowedVerbs: RunVerb[]) {
  const run = create(RunSchema, { name: "runs/a", state: RunState.PAUSED, allowedVerbs });
  render(<RunControls run={run} />);
}

function enabled(): string[] {
  return screen
    .getAllByRole<HTMLButtonElement>("button")
    .filter((button) => !button.disabled)
    .map((button) => button.textContent);
}

function answer(body: unknown, status = 200) {
  const fetched = vi.fn<typeof fetch>(() =>
    Promise.resolve(
      new Response(JSON.stringify(body), {
        status,
        headers: { "content-type": status < 400 ? "application/json" : "application/problem+json" },
      }),
    ),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the controls of a run", () => {
  it("enables what the server lists, and nothing else", () => {
    show([RunVerb.RESUME, RunVerb.ADVANCE]);
    expect(enabled()).toEqual(["Resume", "Step"]);
  });

  it("enables nothing when nothing is listed", () => {
    show([]);
    expect(enabled()).toEqual([]);
  });

  it("asks for as many steps as were typed, and not for what is no number of steps", async () => {
    const fetched = answer({ run: { name: "runs/a" } });
    show([RunVerb.ADVANCE]);
    const steps = screen.getByLabelText("Steps to make");
    for (const wrong of ["0", "-1", "1.5", "10001", "many", ""]) {
      fireEvent.change(steps, { target: { value: wrong } });
      expect(enabled()).toEqual([]);
    }
    fireEvent.change(steps, { target: { value: "25" } });
    fireEvent.click(screen.getByText("Step"));
    await screen.findByText("making 25 steps");
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/runs/a:advance");
    expect(fetched.mock.calls[0]?.[1]?.body).toBe(`{"steps":25}`);
  });

  it("shows a refusal in full and lets it be tried again", async () => {
    answer(
      { title: "The run is not in a state that allows this", detail: "runs/a is FAILED" },
      409,
    );
    show([RunVerb.PAUSE]);
    fireEvent.click(screen.getByText("Pause"));
    await screen.findByText("runs/a is FAILED");
    expect(enabled()).toEqual(["Pause"]);
  });

  it("saves before it stops when asked to", async () => {
    const fetched = answer({ run: { name: "runs/a" } });
    show([RunVerb.STOP]);
    fireEvent.click(screen.getByText("Stop and save"));
    await screen.findByText("saving and stopping");
    expect(fetched.mock.calls[0]?.[1]?.body).toBe(`{"save":true}`);
  });
});
