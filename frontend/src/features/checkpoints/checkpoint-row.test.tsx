import { create } from "@bufbuild/protobuf";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SAVED, type Shelf } from "@/api/checkpoints";
import { CheckpointKind, CheckpointSchema } from "@/gen/lab/v1/checkpoint_pb";
import { CheckpointRow } from "./checkpoint-row";
import { UndoDelete } from "./undo-delete";

const NAME = "runs/nano-a/checkpoints/step-00000010";

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

function show(fields: Parameters<typeof create<typeof CheckpointSchema>>[1], resumable = false) {
  const checkpoint = create(CheckpointSchema, { name: NAME, step: 10, ...fields });
  const told = { onDeleted: vi.fn(), onFork: vi.fn(), onProblem: vi.fn() };
  const queries = new QueryClient();
  const other = create(CheckpointSchema, { name: `${NAME}1` });
  const saved = [...SAVED, 1];
  queries.setQueryData<Shelf>(saved, { checkpoints: [checkpoint, other], unreadable: [] });
  render(
    <QueryClientProvider client={queries}>
      <MemoryRouter>
        <table>
          <tbody>
            <CheckpointRow
              checkpoint={checkpoint}
              nowMs={0}
              row={2}
              resumable={resumable}
              {...told}
            />
          </tbody>
        </table>
      </MemoryRouter>
    </QueryClientProvider>,
  );
  const left = () => queries.getQueryData<Shelf>(saved)?.checkpoints.map((one) => one.name);
  return { ...told, left };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a checkpoint's row", () => {
  it("pins with a PATCH of one field", async () => {
    const fetched = answer({ checkpoint: { name: NAME, pinned: true } });
    show({ kind: CheckpointKind.FULL });
    expect(screen.queryByTestId("checkpoint-pinned")).toBeNull();
    fireEvent.click(screen.getByText("Pin"));
    await waitFor(() => expect(fetched).toHaveBeenCalledOnce());
    expect(fetched.mock.calls[0]?.[0]).toBe(`/api/${NAME}`);
    expect(fetched.mock.calls[0]?.[1]).toMatchObject({ method: "PATCH", body: `{"pinned":true}` });
  });

  it("says that it is pinned, offers to unpin, and cannot be deleted", () => {
    show({ kind: CheckpointKind.FULL, pinned: true });
    expect(screen.getByTestId("checkpoint-pinned").textContent).toBe("pinned");
    expect(screen.getByText("Unpin")).toBeTruthy();
    expect(screen.getByTestId<HTMLButtonElement>("checkpoint-delete").disabled).toBe(true);
  });

  it("tells when it is in the trash, and why not when that was refused", async () => {
    const { onDeleted, onProblem, left } = show({});
    answer({ title: "Not now", status: 409, detail: "it is pinned" }, 409);
    fireEvent.click(screen.getByTestId("checkpoint-delete"));
    await waitFor(() =>
      expect(onProblem.mock.lastCall?.[0]).toMatchObject({
        message: expect.stringContaining("pinned") as string,
      }),
    );
    expect(onDeleted).not.toHaveBeenCalled();
    expect(left()).toEqual([NAME, `${NAME}1`]);
    answer({});
    fireEvent.click(screen.getByTestId("checkpoint-delete"));
    await waitFor(() => expect(onDeleted).toHaveBeenCalledOnce());
    expect(left()).toEqual([`${NAME}1`]);
    expect(onProblem.mock.lastCall?.[0]).toBeUndefined();
  });

  it("says what the last look at its bytes found, and how it resumes", () => {
    show({
      kind: CheckpointKind.FULL,
      damage: ["state.json: missing"],
      inexactReasons: ["2 threads instead of 4"],
    });
    expect(screen.getByTestId("checkpoint-verdict").textContent).toBe("damaged");
    expect(screen.getByTitle("state.json: missing")).toBeTruthy();
    expect(screen.getByTitle("2 threads instead of 4").textContent).toBe("not bit for bit");
  });

  it("offers to fork what is full and not what was brought in", () => {
    const { onFork } = show({ kind: CheckpointKind.FULL });
    fireEvent.keyDown(screen.getByTestId("checkpoint-more"), { key: "Enter" });
    fireEvent.click(screen.getByTestId("checkpoint-fork"));
    expect(onFork).toHaveBeenCalledOnce();
    expect(screen.queryByText("Resume the run from here")).toBeNull();
  });

  it("does not link an import to a run there is none of", () => {
    show({ kind: CheckpointKind.WEIGHTS, name: "runs/imports/checkpoints/gpt2" });
    expect(screen.getByText("gpt2").closest("a")).toBeNull();
    expect(screen.getByText("import")).toBeTruthy();
  });
});

describe("undo", () => {
  it("restores what was deleted", async () => {
    const fetched = answer({ checkpoint: { name: NAME } });
    const onDone = vi.fn();
    render(
      <QueryClientProvider client={new QueryClient()}>
        <UndoDelete deleted={create(CheckpointSchema, { name: NAME, step: 10 })} onDone={onDone} />
      </QueryClientProvider>,
    );
    fireEvent.click(screen.getByTestId("undo"));
    await waitFor(() => expect(onDone).toHaveBeenCalledOnce());
    expect(fetched.mock.calls[0]?.[0]).toBe(`/api/${NAME}:restore`);
  });
});
