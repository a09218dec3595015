import { describe, expect, it } from "vitest";
import { FrameLoop, type FrameClock } from "./frame";

class FakeClock implements FrameClock {
  isHidden = false;
  soonTasks: (() => void)[] = [];
  scheduled: { callback: () => void; hidden: boolean } | null = null;
  private visibility: () => void = () => undefined;

  hidden = () => this.isHidden;
  onVisibilityChange = (listener: () => void) => {
    this.visibility = listener;
  };
  soon = (callback: () => void) => {
    this.soonTasks.push(callback);
  };
  schedule = (callback: () => void, hidden: boolean) => {
    const entry = { callback, hidden };
    this.scheduled = entry;
    return () => {
      if (this.scheduled === entry) this.scheduled = null;
    };
  };
  show(visible: boolean) {
    this.isHidden = !visible;
    this.visibility();
  }
  frame() {
    const due = this.scheduled;
    this.scheduled = null;
    due?.callback();
  }
}

function loop() {
  const clock = new FakeClock();
  const frames = new FrameLoop(clock);
  const log: string[] = [];
  frames.onApply(() => log.push("apply"));
  frames.onAfter(() => log.push("after"));
  return { clock, frames, log };
}

describe("the frame loop", () => {
  it("applies, then draws, then lets acknowledge", () => {
    const { clock, frames, log } = loop();
    frames.draw(() => log.push("draw"));
    clock.frame();
    expect(log).toEqual(["apply", "draw", "after"]);
  });

  it("leaves what is no part of a frame to one task after it", () => {
    const { clock, frames, log } = loop();
    const render = () => void log.push("render");
    frames.onApply(() => {
      frames.aside(render);
      frames.aside(render);
    });
    frames.request();
    clock.frame();
    expect(log).toEqual(["apply", "after"]);
    expect(clock.soonTasks).toHaveLength(1);
    clock.soonTasks.pop()?.();
    expect(log).toEqual(["apply", "after", "render"]);
    frames.aside(render); // outside of a frame as well, and again
    clock.soonTasks.pop()?.();
    expect(log.filter((one) => one === "render")).toHaveLength(2);
  });

  it("draws once per frame however often it is asked", () => {
    const { clock, frames, log } = loop();
    const draw = () => void log.push("draw");
    frames.draw(draw);
    frames.draw(draw);
    clock.frame();
    clock.frame();
    expect(log.filter((one) => one === "draw")).toHaveLength(1);
  });

  it("draws what became dirty while applying in the same frame", () => {
    const { clock, frames, log } = loop();
    frames.onApply(() => frames.draw(() => log.push("draw")));
    frames.request();
    clock.frame();
    expect(log).toEqual(["apply", "draw", "after"]);
  });

  it("applies but does not draw while hidden, and draws when shown again", () => {
    const { clock, frames, log } = loop();
    clock.isHidden = true;
    frames.draw(() => log.push("draw"));
    expect(clock.scheduled?.hidden).toBe(true);
    clock.frame();
    expect(log).toEqual(["apply", "after"]);
    clock.show(true);
    clock.frame();
    expect(log).toContain("draw");
  });

  it("does not wait for a frame that a hidden tab will never give", () => {
    const { clock, frames } = loop();
    frames.request();
    expect(clock.scheduled?.hidden).toBe(false);
    clock.show(false);
    expect(clock.scheduled?.hidden).toBe(true);
  });
});
