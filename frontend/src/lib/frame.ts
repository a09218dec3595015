// The one owner of requestAnimationFrame. Each frame: apply (drain messages into stores), draw (dirty canvases), after
// (acknowledge). In a hidden tab nothing is drawn, and a timer keeps apply and after going.
export interface FrameClock {
  hidden(): boolean;
  /** Calls back at the next frame, or soon by timer when hidden; returns how to cancel. */
  schedule(callback: () => void, hidden: boolean): () => void;
  /** Calls back in a task of its own, as soon as what runs now is over. */
  soon(callback: () => void): void;
  onVisibilityChange(listener: () => void): void;
}

const HIDDEN_TICK_MS = 200;

const browserClock: FrameClock = {
  hidden: () => document.hidden,
  schedule(callback, hidden) {
    if (hidden) {
      const timer = setTimeout(callback, HIDDEN_TICK_MS);
      return () => clearTimeout(timer);
    }
    const request = requestAnimationFrame(callback);
    return () => cancelAnimationFrame(request);
  },
  soon(callback) {
    const { port1, port2 } = new MessageChannel(); // a timer would wait, in a hidden tab for a second
    port1.onmessage = () => {
      port1.close();
      callback();
    };
    port2.postMessage(null);
  },
  onVisibilityChange: (listener) => document.addEventListener("visibilitychange", listener),
};

export class FrameLoop {
  private readonly applies = new Set<() => void>();
  private readonly afters = new Set<() => void>();
  private dirty = new Set<() => void>();
  private asides = new Set<() => void>();
  private cancel: (() => void) | undefined;
  private watching = false;

  constructor(private readonly clock: FrameClock = browserClock) {}

  /** Work of the apply phase, in every frame that was asked for. */
  onApply(task: () => void): () => void {
    this.applies.add(task);
    return () => this.applies.delete(task);
  }

  /** Work after drawing, in every frame that was asked for. */
  onAfter(task: () => void): () => void {
    this.afters.add(task);
    return () => this.afters.delete(task);
  }

  /** Draws once in the next visible frame, however often it is asked before. */
  draw(task: () => void): void {
    this.dirty.add(task);
    this.request();
  }

  /** Takes a drawing back, when its canvas goes away. */
  forget(task: () => void): void {
    this.dirty.delete(task);
  }

  /**
   * Work that what a frame brought makes necessary, and that is no part of it: React's. Done in a task of its own, once
   * however often it is asked before; in one with the drawing it would make both late.
   */
  aside(task: () => void): void {
    if (this.asides.has(task)) return;
    this.asides.add(task);
    if (this.asides.size > 1) return; // it goes along
    this.clock.soon(() => {
      const due = this.asides;
      this.asides = new Set();
      for (const one of due) one();
    });
  }

  /** Asks for a frame. */
  request(): void {
    if (!this.watching) {
      this.watching = true;
      this.clock.onVisibilityChange(() => this.reschedule());
    }
    this.cancel ??= this.clock.schedule(() => this.run(), this.clock.hidden());
  }

  // A frame asked for just before the tab was hidden would never come.
  private reschedule(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.request();
  }

  private run(): void {
    this.cancel = undefined;
    for (const task of this.applies) task();
    if (!this.clock.hidden()) {
      const due = this.dirty;
      this.dirty = new Set();
      for (const task of due) task();
    }
    for (const task of this.afters) task();
  }
}

export const frames = new FrameLoop();
