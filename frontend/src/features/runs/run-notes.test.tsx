import { create } from "@bufbuild/protobuf";
import { fireEvent, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { RunSchema } from "@/gen/lab/v1/run_pb";
import { RunNotes } from "./run-notes";
import { RunTitle } from "./run-title";

const run = (change: { displayName?: string; notes?: string } = {}) =>
  create(RunSchema, { name: "runs/a", displayName: "first", notes: "as it was", ...change });

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

const sent = (fetched: ReturnType<typeof answer>) =>
  fetched.mock.calls.map(([url, init]) => [init?.method, url, init?.body]);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the notes of a run", () => {
  it("keep what is being typed while the run changes, and send only the notes", async () => {
    const fetched = answer({ run: { name: "runs/a" } });
    const { rerender } = render(<RunNotes run={run()} />);
    const field = screen.getByLabelText<HTMLTextAreaElement>("Notes on this run");
    fireEvent.change(field, { target: { value: "half a sen" } });
    rerender(<RunNotes run={run({ notes: "from another window" })} />);
    expect(field.value).toBe("half a sen");
    fireEvent.click(screen.getByText("Save notes"));
    await vi.waitFor(() => expect(screen.queryByText("Save notes")).toBeNull());
    expect(sent(fetched)).toEqual([["PATCH", "/api/runs/a", `{"notes":"half a sen"}`]]);
  });

  it("can be emptied", async () => {
    const fetched = answer({ run: { name: "runs/a" } });
    render(<RunNotes run={run()} />);
    fireEvent.change(screen.getByLabelText("Notes on this run"), { target: { value: "" } });
    fireEvent.click(screen.getByText("Save notes"));
    await vi.waitFor(() => expect(sent(fetched)).toHaveLength(1));
    expect(sent(fetched)[0]?.[2]).toBe(`{"notes":""}`);
  });

  it("are not lost when they cannot be saved", async () => {
    answer({ title: "Too long", detail: "notes: at most 10,000 characters" }, 400);
    render(<RunNotes run={run()} />);
    const field = screen.getByLabelText<HTMLTextAreaElement>("Notes on this run");
    fireEvent.change(field, { target: { value: "long" } });
    fireEvent.click(screen.getByText("Save notes"));
    await screen.findByText("notes: at most 10,000 characters");
    expect(field.value).toBe("long");
    fireEvent.click(screen.getByText("Give up"));
    expect(field.value).toBe("as it was");
  });
});

describe("the name of a run", () => {
  it("is changed in place", async () => {
    const fetched = answer({ run: { name: "runs/a" } });
    render(<RunTitle run={run()} />);
    fireEvent.click(screen.getByText("Rename"));
    const field = screen.getByLabelText("Name of this run");
    fireEvent.change(field, { target: { value: "  second " } });
    fireEvent.submit(field);
    await screen.findByText("Rename");
    expect(sent(fetched)).toEqual([["PATCH", "/api/runs/a", `{"displayName":"second"}`]]);
  });

  it("stays when it was not changed or was given up", () => {
    const fetched = answer({});
    render(<RunTitle run={run()} />);
    fireEvent.click(screen.getByText("Rename"));
    fireEvent.submit(screen.getByLabelText("Name of this run"));
    fireEvent.click(screen.getByText("Rename"));
    const field = screen.getByLabelText("Name of this run");
    fireEvent.change(field, { target: { value: "other" } });
    fireEvent.keyDown(field, { key: "Escape" });
    expect(screen.getByTestId("run-name").textContent).toBe("first");
    expect(fetched).not.toHaveBeenCalled();
  });

  it("says why it was refused and keeps what was typed", async () => {
    answer({ title: "No", detail: "display_name is too long" }, 400);
    render(<RunTitle run={run()} />);
    fireEvent.click(screen.getByText("Rename"));
    const field = screen.getByLabelText<HTMLInputElement>("Name of this run");
    fireEvent.change(field, { target: { value: "x" } });
    fireEvent.submit(field);
    await screen.findByText("display_name is too long");
    expect(field.value).toBe("x");
  });
});
