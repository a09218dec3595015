// Token ids as people type them.

export const MOST_IDS = 16_384;

export type ReadIds = { readonly ids: number[] } | { readonly error: string };

export function readIds(text: string): ReadIds {
  const words = text.split(/[\s,;[\]]+/).filter((word) => word !== "");
  const odd = words.find((word) => !/^\d{1,6}$/.test(word));
  if (odd !== undefined) return { error: `"${odd.slice(0, 20)}" is no token id.` };
  if (words.length > MOST_IDS) {
    return { error: `These are ${words.length} ids; at most ${MOST_IDS} are read.` };
  }
  return { ids: words.map(Number) };
}
