// Tokens that hold a part of a character only, as with emoji and many scripts. Pure.
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { tokenBytes } from "@/lib/token-text";

/** For each token, the characters that it shares with its neighbours; "" where it holds whole ones only. */
export function splitCharacters(tokens: readonly Token[]): string[] {
  const lengths = tokens.map((token) => tokenBytes(token.text).length);
  const bytes = Uint8Array.from(tokens.flatMap((token) => tokenBytes(token.text)));
  const owner = lengths.flatMap((length, index) => new Array<number>(length).fill(index));
  const shared = tokens.map(() => "");
  for (let at = 0; at < bytes.length;) {
    const size = characterSize(bytes, at);
    const first = owner[at] ?? 0;
    const last = owner[at + size - 1] ?? first;
    if (size > 1 && first !== last) {
      const character = new TextDecoder().decode(bytes.subarray(at, at + size));
      for (let index = first; index <= last; index += 1)
        shared[index] = (shared[index] ?? "") + character;
    }
    at += size;
  }
  return shared;
}

/** Bytes of the character that begins here; 1 where none does. */
function characterSize(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
  for (let next = 1; next < size; next += 1) {
    if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 1;
  }
  return size;
}
