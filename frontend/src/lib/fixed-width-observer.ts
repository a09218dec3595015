// For tests only: a ResizeObserver for a document that lays nothing out. Every element is 400 wide at once.
const WIDTH = 400;

export class FixedWidthObserver implements ResizeObserver {
  constructor(private readonly report: ResizeObserverCallback) {}

  observe(target: Element): void {
    const size = [{ inlineSize: WIDTH, blockSize: WIDTH }];
    const entry: ResizeObserverEntry = {
      target,
      contentRect: new DOMRect(0, 0, WIDTH, WIDTH),
      borderBoxSize: size,
      contentBoxSize: size,
      devicePixelContentBoxSize: size,
    };
    this.report([entry], this);
  }

  unobserve(): void {
    // nothing is kept
  }

  disconnect(): void {
    // nothing is kept
  }
}
