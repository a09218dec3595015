// What can be counted about a text and its tokens.
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { tokenBytes } from "@/lib/token-text";

export interface TokenCounts {
  readonly tokens: number;
  readonly distinct: number;
  readonly bytes: number;
  /** Unicode code points. */
  readonly characters: number;
  /** undefined for an empty text. */
  readonly bytesPerToken: number | undefined;
}

export function countTokens(tokens: readonly Token[]): TokenCounts {
  const bytes = tokens.map((token) => tokenBytes(token.text));
  const byteCount = bytes.reduce((sum, one) => sum + one.length, 0);
  const text = new TextDecoder().decode(Uint8Array.from(bytes.flat()));
  return {
    tokens: tokens.length,
    distinct: new Set(tokens.map((token) => token.id)).size,
    bytes: byteCount,
    characters: Array.from(text).length,
    bytesPerToken: tokens.length === 0 ? undefined : byteCount / tokens.length,
  };
}

/** "20 74" */
export function hexBytes(token: Token): string {
  return tokenBytes(token.text)
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join(" ");
}
