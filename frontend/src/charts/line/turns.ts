// Who is drawn in this frame because data came: a few charts at a time, in turn, so that no frame takes long however many
// charts there are, and all of them are drawn less often on a machine that is busy. What hands do does not wait for a turn.
import { frames, type FrameLoop } from "@/lib/frame";

const CHARTS_PER_FRAME = 3; // twelve charts then are drawn fifteen times a second at 60 frames

export class Turns {
  private readonly waiting = new Set<() => void>(); // in the order in which they asked
  private readonly take = () => {
    let left = this.perFrame;
    for (const draw of this.waiting) {
      this.waiting.delete(draw);
      draw();
      left -= 1;
      if (left === 0) break;
    }
    if (this.waiting.size > 0) this.frames.draw(this.take);
  };

  constructor(
    private readonly frames: Pick<FrameLoop, "draw">,
    private readonly perFrame: number,
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
