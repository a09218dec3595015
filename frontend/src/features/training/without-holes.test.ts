import { expect, test } from "vitest";
import { withoutHoles } from "./without-holes";

test("one empty line is left as it is, more of them are counted in one", () => {
  expect(withoutHoles("a\nb\n\nc")).toBe("a\nb\n\nc");
  expect(withoutHoles("a\n\n\nb")).toBe("a\n↵↵\nb");
  expect(withoutHoles("\n\n\n\n\n")).toBe("\n↵↵↵↵\n");
});
