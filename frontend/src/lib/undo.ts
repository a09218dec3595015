// What was changed in how the dashboard looks, newest last, so that it can be taken back.
interface Change {
  what: string;
  takeBack: () => void;
}

const MOST_CHANGES = 100;

class Undo {
  private readonly changes: Change[] = [];

  /** `takeBack` puts things as they were before the change. */
  done(what: string, takeBack: () => void): void {
    this.changes.push({ what, takeBack });
    if (this.changes.length > MOST_CHANGES) this.changes.shift();
  }

  /** Takes the newest change back; says what it was about, undefined when there is none. */
  takeBack(): string | undefined {
    const change = this.changes.pop();
    change?.takeBack();
    return change?.what;
  }
}

export const undo = new Undo();
