// A canvas at the screen's own resolution, drawn in CSS pixels.

/** Sizes the canvas, clears it, and hands out a context whose unit is the CSS pixel; null where there is no canvas. */
export function prepareCanvas(
  canvas: HTMLCanvasElement,
  { width, height, pixelRatio }: { width: number; height: number; pixelRatio: number },
): CanvasRenderingContext2D | null {
  const context = canvas.getContext("2d");
  if (context === null) return null;
  const pixelWidth = Math.round(width * pixelRatio);
  const pixelHeight = Math.round(height * pixelRatio);
  if (canvas.width !== pixelWidth) canvas.width = pixelWidth;
  if (canvas.height !== pixelHeight) canvas.height = pixelHeight;
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Pixels as something a context can draw scaled. */
export function pixelCanvas(pixels: Uint32Array, side: { width: number; height: number }) {
  const canvas = document.createElement("canvas");
  canvas.width = side.width;
  canvas.height = side.height;
  const bytes = new Uint8ClampedArray(pixels.byteLength);
  bytes.set(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
  canvas.getContext("2d")?.putImageData(new ImageData(bytes, side.width, side.height), 0, 0);
  return canvas;
}
