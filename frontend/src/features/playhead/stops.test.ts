import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  nearestStop,
  neighbour,
  neighbours,
  nextEvent,
  snapped,
  stopsOf,
  type Flag,
} from "./stops";

const STOPS = stopsOf({
  checkpoints: [
    { name: "runs/r/checkpoints/step-20", step: 20 },
    { name: "runs/r/checkpoints/step-10", step: 10 },
  ],
  probes: [0, 1, 2, 20, 40],
});

const flag = (step: number): Flag => ({ step, kind: "spike", text: "" });

describe("stopsOf", () => {
  it("has one stop per step, rising, that knows what is there", () => {
    expect(STOPS.map(({ step }) => step)).toEqual([0, 1, 2, 10, 20, 40]);
    expect(STOPS[3]).toEqual({ step: 10, checkpoint: "runs/r/checkpoints/step-10", probe: false });
    expect(STOPS[4]).toEqual({ step: 20, checkpoint: "runs/r/checkpoints/step-20", probe: true });
  });
});

describe("snapped", () => {
  it("takes the nearest stop", () => {
    expect(snapped(STOPS, 13, 90)).toBe(10);
    expect(snapped(STOPS, 16, 90)).toBe(20);
    expect(snapped(STOPS, -5, 90)).toBe(0);
  });
  it("takes the live end where that is nearer", () => {
    expect(snapped(STOPS, 64, 90)).toBe(40);
    expect(snapped(STOPS, 66, 90)).toBeNull();
  });
  it("has only the live end when nothing was recorded", () => {
    expect(snapped([], 5, 90)).toBeNull();
  });
  it("never leaves the stops, and no other stop is nearer", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1000)), fc.nat(1200), (probes, step) => {
        const stops = stopsOf({ checkpoints: [], probes });
        const at = snapped(stops, step, 1100);
        if (at === null) return;
        expect(probes).toContain(at);
        for (const probe of probes) {
          expect(Math.abs(at - step)).toBeLessThanOrEqual(Math.abs(probe - step));
        }
      }),
    );
  });
});

describe("neighbour", () => {
  it("walks all stops to the live end and back", () => {
    const seen: (number | null)[] = [0];
    for (let i = 0; i < 7; i += 1) seen.push(neighbour(STOPS, seen.at(-1) ?? null, 1));
    expect(seen).toEqual([0, 1, 2, 10, 20, 40, null, null]);
    expect(neighbour(STOPS, null, -1)).toBe(40);
    expect(neighbour(STOPS, 0, -1)).toBe(0);
  });
  it("finds its way from a step that is no stop any more", () => {
    expect(neighbour(STOPS, 15, 1)).toBe(20);
    expect(neighbour(STOPS, 15, -1)).toBe(10);
  });
  it("stays where it is as long as no stop is known", () => {
    expect(neighbour([], null, -1)).toBeNull();
    expect(neighbour([], 7, 1)).toBe(7);
    expect(neighbour([], 7, -1)).toBe(7);
  });
});

describe("nextEvent", () => {
  const flags = [flag(21), flag(9)];
  it("jumps to the stop nearest to the event", () => {
    expect(nextEvent(STOPS, flags, 0, 1)).toBe(10);
    expect(nextEvent(STOPS, flags, 10, 1)).toBe(20);
    expect(nextEvent(STOPS, flags, null, -1)).toBe(20);
  });
  it("stays when there is none", () => {
    expect(nextEvent(STOPS, flags, 20, 1)).toBe(20);
    expect(nextEvent(STOPS, flags, 10, -1)).toBe(10);
    expect(nextEvent(STOPS, [], 10, -1)).toBe(10);
  });
});

it("fetches ahead first where the playhead is going", () => {
  expect(neighbours(STOPS, 10, 2).map(({ step }) => step)).toEqual([20, 2]);
  expect(neighbours(STOPS, 10, 20).map(({ step }) => step)).toEqual([2, 20]);
  expect(neighbours(STOPS, null, 40).map(({ step }) => step)).toEqual([40]);
});

it("has no nearest stop without stops", () => {
  expect(nearestStop([], 3)).toBeUndefined();
});
