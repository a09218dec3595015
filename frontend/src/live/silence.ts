// Notices that nothing has been heard for too long. A dead line can look open for minutes.
export class SilenceWatch {
  private lastHeardMs = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly limitMs: number,
    private readonly now: () => number,
    private readonly onSilence: () => void,
  ) {}

  heard(): void {
    this.lastHeardMs = this.now();
    if (this.timer === undefined) this.lookAgain(this.limitMs);
  }

  get tooLong(): boolean {
    return this.now() - this.lastHeardMs >= this.limitMs;
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  // One timer that looks again, instead of one armed anew for each of thirty frames a second.
  private lookAgain(afterMs: number): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.tooLong) this.onSilence();
      else this.lookAgain(this.lastHeardMs + this.limitMs - this.now());
    }, afterMs);
  }
}
