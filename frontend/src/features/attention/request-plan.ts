// Splits "all heads of all layers" into requests that each answer with a few megabytes at most, so that the first
// thumbnails come soon and no message limit is met.

export interface HeadRange {
  readonly layers: readonly number[];
  readonly heads: readonly number[];
}

export const LARGEST_ANSWER_BYTES = 2_000_000;

export function planRequests(
  { layers, heads }: HeadRange,
  { bytesPerHead, limit = LARGEST_ANSWER_BYTES }: { bytesPerHead: number; limit?: number },
): HeadRange[] {
  const headsPerRequest = Math.max(1, Math.floor(limit / bytesPerHead));
  if (headsPerRequest >= heads.length) {
    const layersPerRequest = Math.max(1, Math.floor(headsPerRequest / Math.max(1, heads.length)));
    return slices(layers, layersPerRequest).map((some) => ({ layers: some, heads }));
  }
  return layers.flatMap((layer) =>
    slices(heads, headsPerRequest).map((some) => ({ layers: [layer], heads: some })),
  );
}

function slices(items: readonly number[], size: number): (readonly number[])[] {
  const parts: (readonly number[])[] = [];
  for (let start = 0; start < items.length; start += size) {
    parts.push(items.slice(start, start + size));
  }
  return parts;
}
