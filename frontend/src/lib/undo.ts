// What was changed in how the dashboard looks, newest last, so that it can be taken back and done again.
interface Change {
  what: string;
  takeBack: () => void;
  again: () => void;
  lastMs: number;
}

const MOST_CHANGES = 100;
const ONE_STROKE_MS = 600; // a slider, a wheel or a pan says many small changes in one stroke of the hand

class Undo {
  private changes: Change[] = [];
  private undone: Change[] = [];
  private applying = false;

  /** `takeBack` puts things as they were before the change, `again` as they are after it. */
  done(what: string, takeBack: () => void, again: () => void): void {
    if (this.applying) return;
    this.undone = [];
    this.changes.push({ what, takeBack, again, lastMs: 0 });
    if (this.changes.length > MOST_CHANGES) this.changes.shift();
  }

  /** As `done`, for what changes many times in one stroke: the stroke is taken back as a whole. */
  moved(what: string, takeBack: () => void, again: () => void): void {
    if (this.applying) return;
    const newest = this.changes.at(-1);
    const nowMs = Date.now();
    if (newest?.what === what && nowMs - newest.lastMs < ONE_STROKE_MS) {
      newest.again = again;
      newest.lastMs = nowMs;
      return;
    }
    this.done(what, takeBack, again);
    const added = this.changes.at(-1);
    if (added) added.lastMs = nowMs;
  }

  /** Takes the newest change back; says what it was about, undefined when there is none. */
  takeBack(): string | undefined {
    const change = this.changes.pop();
    if (!change) return undefined;
    this.undone.push(change);
    this.apply(change.takeBack);
    return change.what;
  }

  /** Does again what was taken back last. */
  doAgain(): string | undefined {
    const change = this.undone.pop();
    if (!change) return undefined;
    this.changes.push({ ...change, lastMs: 0 });
    this.apply(change.again);
    return change.what;
  }

  /** For a page that goes: what begins with `what` cannot be taken back any more. */
  forget(what: string): void {
    const others = (change: Change) => !change.what.startsWith(what);
    this.changes = this.changes.filter(others);
    this.undone = this.undone.filter(others);
  }

  /** What is done meanwhile is no new change. */
  private apply(work: () => void): void {
    this.applying = true;
    try {
      work();
    } finally {
      this.applying = false;
    }
  }
}

export const undo = new Undo();
