import { create } from "@bufbuild/protobuf";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CheckpointSchema } from "@/gen/lab/v1/checkpoint_pb";
import { UnreadableCheckpointSchema } from "@/gen/lab/v1/checkpoint_service_pb";
import { DamageList } from "./damage-list";

afterEach(() => {
  vi.unstubAllGlobals();
});

function show(damaged: string[][], unreadable: string[]) {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <DamageList
        checkpoints={damaged.map((damage, index) =>
          create(CheckpointSchema, { name: `runs/a/checkpoints/step-${index}`, damage }),
        )}
        unreadable={unreadable.map((why, index) =>
          create(UnreadableCheckpointSchema, { name: `runs/b/checkpoints/step-${index}`, why }),
        )}
      />
    </QueryClientProvider>,
  );
}

describe("what is damaged", () => {
  it("is nothing when everything is whole", () => {
    show([[], []], []);
    expect(screen.queryByTestId("damage")).toBeNull();
  });

  it("is told with its cause, and can be deleted although no row shows it", async () => {
    const fetched = vi.fn<typeof fetch>(() => Promise.resolve(new Response("{}")));
    vi.stubGlobal("fetch", fetched);
    show([["state.json: missing"], []], ["its seal is broken"]);
    expect(screen.getByTestId("damage").textContent).toContain("2 damaged checkpoints.");
    expect(screen.getByText(/a, step-0: state\.json: missing/)).toBeTruthy();
    fireEvent.click(screen.getAllByTestId("damage-delete")[0] as HTMLElement);
    await waitFor(() => expect(fetched).toHaveBeenCalledOnce());
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/runs/b/checkpoints/step-0");
    expect(fetched.mock.calls[0]?.[1]).toMatchObject({ method: "DELETE" });
  });
});
