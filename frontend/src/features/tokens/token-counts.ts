// What can be counted about a text and its tokens.
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { tokenBytes } from "@/lib/token-text";

export interface TokenCounts {
  readonly tokens: number;
  readonly distinct: number;
  readonly bytes: number;
  /** Unicode code points. */
  readonly characters: number;
  /** As people count them: between white space. */
  readonly words: number;
  /** undefined for an empty text, here and below. */
  readonly bytesPerToken: number | undefined;
  readonly charactersPerToken: number | undefined;
  readonly tokensPerWord: number | undefined;
}

export function countTokens(tokens: readonly Token[]): TokenCounts {
  const bytes = tokens.map((token) => tokenBytes(token.text));
  const byteCount = bytes.reduce((sum, one) => sum + one.length, 0);
  const text = new TextDecoder().decode(Uint8Array.from(bytes.flat()));
  const characters = Array.from(text).length;
  const words = text.split(/\s+/).filter((word) => word !== "").length;
  const per = (count: number, of: number) => (of === 0 ? undefined : count / of);
  return {
    tokens: tokens.length,
    distinct: new Set(tokens.map((token) => token.id)).size,
    bytes: byteCount,
    characters,
    words,
    bytesPerToken: per(byteCount, tokens.length),
    charactersPerToken: per(characters, tokens.length),
    tokensPerWord: per(tokens.length, words),
  };
}
