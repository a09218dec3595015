import { expect, it } from "vitest";
import { MOST_IDS, readIds } from "./token-ids";

it("reads ids however they are separated", () => {
  expect(readIds("[464, 3797]\n 50256;0")).toEqual({ ids: [464, 3797, 50256, 0] });
  expect(readIds("")).toEqual({ ids: [] });
});

it("says what is no id, and what is too much", () => {
  expect(readIds("12 cat")).toEqual({ error: '"cat" is no token id.' });
  expect(readIds("-1")).toEqual({ error: '"-1" is no token id.' });
  expect(readIds("1 ".repeat(MOST_IDS + 1))).toHaveProperty("error");
});
