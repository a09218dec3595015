import { create } from "@bufbuild/protobuf";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, describe, expect, it, vi } from "vitest";
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

function show(fields: Parameters<typeof create<typeof CheckpointSchema>>[1], onDeleted = vi.fn()) {
  const checkpoint = create(CheckpointSchema, { name: NAME, step: 10, ...fields });
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter>
        <table>
          <tbody>
            <CheckpointRow checkpoint={checkpoint} nowMs={0} onDeleted={onDeleted} />
          </tbody>
        </table>
      </MemoryRouter>
    </QueryClientProvider>,
  );
  return onDeleted;
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

  it("tells when it is in the trash, and not when that was refused", async () => {
    const refused = show({});
    answer({ title: "Not now", status: 409, detail: "it is pinned" }, 409);
    fireEvent.click(screen.getByTestId("checkpoint-delete"));
    await screen.findByTestId("problem");
    expect(refused).not.toHaveBeenCalled();
    answer({});
    fireEvent.click(screen.getByTestId("checkpoint-delete"));
    await waitFor(() => expect(refused).toHaveBeenCalledOnce());
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
