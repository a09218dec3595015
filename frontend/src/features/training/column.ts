// One metric of a run: values by step, rising, one per step, in number arrays that grow.
export class Column {
  x = new Float64Array(256);
  y = new Float64Array(256);
  length = 0;
  /** How many steps each value is the mean of. */
  stepsEach = 1;
  /** Counts changes, so that whatever is derived knows when it is out of date. */
  version = 0;

  get lastStep(): number | undefined {
    return this.length === 0 ? undefined : this.x[this.length - 1];
  }

  get last(): number | undefined {
    return this.length === 0 ? undefined : this.y[this.length - 1];
  }

  /** Sets the value at a step. Nearly always the newest step; a repeated or late one finds its place. */
  put(step: number, value: number): void {
    this.version += 1;
    const newest = this.lastStep;
    if (newest === undefined || step > newest) {
      this.reserve(this.length + 1);
      this.x[this.length] = step;
      this.y[this.length] = value;
      this.length += 1;
      return;
    }
    const at = this.find(step);
    if (this.x[at] !== step) {
      this.reserve(this.length + 1);
      this.x.copyWithin(at + 1, at, this.length);
      this.y.copyWithin(at + 1, at, this.length);
      this.length += 1;
      this.x[at] = step;
    }
    this.y[at] = value;
  }

  /** Forgets what lies after a step. */
  cutAfter(step: number): void {
    const at = this.find(step + 1);
    if (at === this.length) return;
    this.length = at;
    this.version += 1;
  }

  /** Everything anew. */
  replace(steps: ArrayLike<number>, values: ArrayLike<number>): void {
    this.length = 0;
    this.merge(steps, values);
  }

  /** Adds many at once; what is there for the same steps is replaced. */
  merge(steps: ArrayLike<number>, values: ArrayLike<number>): void {
    for (let i = 0; i < steps.length; i += 1) this.put(steps[i] ?? 0, values[i] ?? NaN);
    this.version += 1;
  }

  /** The value at a step, between neighbours on a straight line, at the ends the nearest. NaN when empty. */
  at(step: number): number {
    const { length, x, y } = this;
    if (length === 0) return NaN;
    const after = this.find(step);
    if (after === 0) return y[0] ?? NaN;
    if (after === length) return y[length - 1] ?? NaN;
    const [x0, x1] = [x[after - 1] ?? 0, x[after] ?? 0];
    const [y0, y1] = [y[after - 1] ?? NaN, y[after] ?? NaN];
    return y0 + ((y1 - y0) * (step - x0)) / (x1 - x0);
  }

  /** The newest values, oldest of them first. */
  tail(count: number): number[] {
    return Array.from(this.y.subarray(Math.max(0, this.length - count), this.length));
  }

  private find(step: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.x[middle] ?? 0) < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private reserve(length: number): void {
    if (length <= this.x.length) return;
    const [x, y] = [new Float64Array(this.x.length * 2), new Float64Array(this.x.length * 2)];
    x.set(this.x);
    y.set(this.y);
    this.x = x;
    this.y = y;
  }
}
