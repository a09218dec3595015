import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { TokenSchema } from "@/gen/lab/v1/tensor_pb";
import { splitCharacters } from "./characters";

const tokens = (...texts: string[]) => texts.map((text) => create(TokenSchema, { text }));

it("names the character that tokens share", () => {
  expect(splitCharacters(tokens("a", " \\xf0\\x9f", "\\x99", "\\x82", "b"))).toEqual([
    "",
    "🙂",
    "🙂",
    "🙂",
    "",
  ]);
  // One token may end one character and begin the next.
  expect(splitCharacters(tokens("\\xe4\\xbd", "\\xa0\\xe5", "\\xa5\\xbd"))).toEqual([
    "你",
    "你好",
    "好",
  ]);
});

it("leaves bytes alone that are no character", () => {
  expect(splitCharacters(tokens("\\xff", "\\xf0\\x9f", "x", "é"))).toEqual(["", "", "", ""]);
  expect(splitCharacters([])).toEqual([]);
});
