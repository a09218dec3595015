import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { createMemoryRouter, RouterProvider } from "react-router";
import { afterEach, describe, expect, it, vi } from "vitest";
import { shortcuts } from "@/lib/shortcuts";
import { stopsOf, type Flag, type Stop } from "./stops";
import { usePlayhead } from "./use-playhead";

const FLAGS: Flag[] = [{ step: 21, kind: "spike", text: "loss spike" }];

function stopsUpTo(last: number): Stop[] {
  const checkpoints = [{ name: "runs/r/checkpoints/step-10", step: 10 }];
  return stopsOf({ checkpoints, probes: [0, 5, 20, last] });
}

let stops = stopsUpTo(40);

function Page() {
  const playhead = usePlayhead(stops, FLAGS);
  return (
    <>
      <output data-playing={playhead.playing}>{playhead.at ?? "live"}</output>
      <input aria-label="text" />
      <button type="button">press</button>
    </>
  );
}

function open(address: string) {
  stops = stopsUpTo(40);
  const routes = [
    { path: "*", element: <Page /> },
    { path: "/again", element: <Page /> },
  ];
  const router = createMemoryRouter(routes, { initialEntries: [address] });
  const page = render(<RouterProvider router={router} />);
  const listen = (event: KeyboardEvent) => void shortcuts.press(event);
  document.addEventListener("keydown", listen);
  afterEachStops.push(() => document.removeEventListener("keydown", listen));
  return { router, page };
}

const afterEachStops: (() => void)[] = [];
afterEach(() => {
  for (const stop of afterEachStops.splice(0)) stop();
  vi.useRealTimers();
  cleanup();
});

const at = () => screen.getByRole("status").textContent;
const press = (key: string, more: object = {}, target: Element = document.body) =>
  act(() => {
    fireEvent.keyDown(target, { key, ...more });
  });

describe("the playhead", () => {
  it("steps from the live end with , and . and says so in the address", () => {
    const { router } = open("/inside?run=r&layer=2");
    expect(at()).toBe("live");
    press(",");
    expect(at()).toBe("40");
    expect(router.state.location.search).toBe("?run=r&layer=2&at=40");
    press(",");
    expect(at()).toBe("20");
    press(".");
    press(".");
    expect(at()).toBe("live");
    expect(router.state.location.search).toBe("?run=r&layer=2");
  });

  it("jumps to events with Shift, whatever Shift makes of the key", () => {
    open("/inside");
    press(";", { shiftKey: true, code: "Comma" }); // a German keyboard
    expect(at()).toBe("20");
    press("<", { shiftKey: true, code: "Comma" });
    expect(at()).toBe("20");
  });

  it("goes back to live with L, and a link to a checkpoint is its step", () => {
    const { router } = open("/inside?run=r&checkpoint=step-10");
    expect(at()).toBe("10");
    press("l");
    expect(at()).toBe("live");
    expect(router.state.location.search).toBe("?run=r");
  });

  it("does nothing while someone types, and leaves Space to the button that has the focus", () => {
    open("/inside?at=20");
    press(",", {}, screen.getByLabelText("text"));
    press(" ", {}, screen.getByRole("button"));
    expect(at()).toBe("20");
    expect(screen.getByRole("status").dataset["playing"]).toBe("false");
  });

  it("plays to the live end and ends there", () => {
    vi.useFakeTimers();
    open("/inside?at=10");
    press(" ");
    const seen: (string | null)[] = [];
    for (let i = 0; i < 4; i += 1) {
      act(() => {
        vi.advanceTimersByTime(701);
      });
      seen.push(at());
    }
    expect(seen).toEqual(["20", "40", "live", "live"]);
    expect(screen.getByRole("status").dataset["playing"]).toBe("false");
  });

  it("plays from the start when it is at the live end, and halts where it is", () => {
    open("/inside");
    press(" ");
    expect(at()).toBe("0");
    expect(screen.getByRole("status").dataset["playing"]).toBe("true");
    press(" ");
    expect(at()).toBe("0");
    expect(screen.getByRole("status").dataset["playing"]).toBe("false");
  });

  it("is not moved by what arrives", async () => {
    const { router } = open("/inside?at=20");
    stops = stopsUpTo(90);
    await act(() => router.navigate("/again?at=20"));
    expect(at()).toBe("20");
    press(".");
    expect(at()).toBe("90");
  });
});
