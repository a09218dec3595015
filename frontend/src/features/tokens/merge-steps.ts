// How the tokens of a word came about: the pieces after each merge. Pure.
import type { TokenizedWord } from "@/gen/lab/v1/inference_service_pb";
import type { Token } from "@/gen/lab/v1/tensor_pb";
import { tokenBytes, visibleToken } from "@/lib/token-text";

/** Ids below this are single bytes; the others were learned, one after the other. */
export const BYTE_TOKENS = 256;
export const END_OF_TEXT = 50_256;

export interface Piece {
  readonly start: number;
  readonly end: number;
}

export interface MergeStep {
  readonly pieces: readonly Piece[];
  /** The piece that this step made; none for the bytes at the beginning. */
  readonly made: Piece | null;
  readonly tokenId: number | null;
}

/** First the bytes, then the pieces after each merge. */
export function mergeSteps({ byteCount, merges }: TokenizedWord): MergeStep[] {
  let pieces: Piece[] = Array.from({ length: byteCount }, (_, at) => ({ start: at, end: at + 1 }));
  const steps: MergeStep[] = [{ pieces, made: null, tokenId: null }];
  for (const { start, end, tokenId } of merges) {
    const made = { start, end };
    pieces = [
      ...pieces.filter((piece) => piece.end <= start),
      made,
      ...pieces.filter((piece) => piece.start >= end),
    ];
    steps.push({ pieces, made, tokenId });
  }
  return steps;
}

/** Which of the words a token belongs to, and where the word's tokens begin. */
export function wordOf(
  words: readonly TokenizedWord[],
  token: number,
): { word: TokenizedWord; firstToken: number } | undefined {
  let firstToken = 0;
  for (const word of words) {
    if (token < firstToken + word.tokenCount) return { word, firstToken };
    firstToken += word.tokenCount;
  }
  return undefined;
}

export function bytesOf(tokens: readonly Token[]): Uint8Array {
  return Uint8Array.from(tokens.flatMap((token) => tokenBytes(token.text)));
}

/** Bytes as people read them: characters where they are whole, else each byte in hexadecimal. */
export function pieceText(bytes: Uint8Array): string {
  try {
    return visibleToken(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return hex(bytes);
  }
}

/** "20 74" */
export function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
