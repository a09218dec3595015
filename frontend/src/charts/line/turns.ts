// Who is drawn in this frame because data came: a few charts at a time, in turn, and no further one once they took long, so
// that no frame takes long however many charts there are, and all of them are drawn less often on a machine that is busy.
// What hands do does not wait for a turn.
import { frames, type FrameLoop } from "@/lib/frame";

const CHARTS_PER_FRAME = 3; // twelve charts then are drawn fifteen times a second at 60 frames
const LONG_MS = 6;

export class Turns {
  private readonly waiting = new Set<() => void>(); // in the order in which they asked
  private readonly take = () => {
    let left = this.perFrame;
    const beganMs = this.now();
    for (const draw of this.waiting) {
      this.waiting.delete(draw);
      draw();
      left -= 1;
      if (left === 0 || this.now() - beganMs > LONG_MS) break;
    }
    if (this.waiting.size > 0) this.frames.draw(this.take);
  };

  constructor(
    private readonly frames: Pick<FrameLoop, "draw">,
    private readonly perFrame: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Draws it when its turn comes, once, however often it is asked before. */
  ask(draw: () => void): void {
    this.waiting.add(draw);
    this.frames.draw(this.take);
  }

  forget(draw: () => void): void {
    this.waiting.delete(draw);
  }
}

export const turns = new Turns(frames, CHARTS_PER_FRAME);
