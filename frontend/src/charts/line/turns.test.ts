import { expect, test } from "vitest";
import { Turns } from "./turns";

function drawing(perFrame: number, chartMs = 0) {
  let asked: (() => void) | undefined;
  let nowMs = 0;
  const turns = new Turns({ draw: (task) => (asked = task) }, perFrame, () => nowMs);
  const drawn: string[] = [];
  const charts = ["a", "b", "c", "d", "e"].map((name) => () => {
    nowMs += chartMs;
    drawn.push(name);
  });
  const frame = () => {
    const task = asked;
    asked = undefined;
    task?.();
    return drawn.splice(0).join("");
  };
  return { turns, charts, frame };
}

test("a frame draws a few charts, the next frame the next, and each once for any number of facts", () => {
  const { turns, charts, frame } = drawing(2);
  for (let facts = 0; facts < 3; facts += 1) for (const chart of charts) turns.ask(chart);
  expect([frame(), frame(), frame(), frame()]).toEqual(["ab", "cd", "e", ""]);
});

test("nobody is left out when data comes faster than charts are drawn", () => {
  const { turns, charts, frame } = drawing(2);
  const frames = Array.from({ length: 5 }, () => {
    for (const chart of charts) turns.ask(chart);
    return frame();
  });
  expect(frames).toEqual(["ab", "cd", "ea", "bc", "da"]);
});

test("a chart that was drawn for another reason, or went away, is not drawn again", () => {
  const { turns, charts, frame } = drawing(2);
  for (const chart of charts) turns.ask(chart);
  for (const chart of charts.slice(0, 4)) turns.forget(chart);
  expect([frame(), frame()]).toEqual(["e", ""]);
});

test("one that takes long is the last of its frame, and the others are drawn all the same", () => {
  const { turns, charts, frame } = drawing(3, 4);
  for (const chart of charts) turns.ask(chart);
  expect([frame(), frame(), frame()]).toEqual(["ab", "cd", "e"]);
  const slow = drawing(3, 50);
  for (const chart of slow.charts) slow.turns.ask(chart);
  expect([slow.frame(), slow.frame()]).toEqual(["a", "b"]);
});
