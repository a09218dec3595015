// A line that was traced, kept until it is known how noisy it is. A stroke costs by the length of its outline: a noisy line
// of 2 px takes a browser 50 ms and more, and the same ink as one bar per pixel column takes half a millisecond.
import type { PathSink } from "./geometry";
import type { Ink } from "./ink";

// A line is a band of ink rather than a curve when it has a point every other pixel and goes further up and down than along.
const DENSE = 0.5;
const STEEP = 1;

/** One is enough for any number of lines: it keeps its memory, so that drawing allocates nothing. */
export class Trace implements PathSink {
  private places = new Float64Array(4096); // x and y of each point; NaN before the first of a piece
  private length = 0;
  private travelled = 0;
  private width = 0;
  private x = NaN;
  private y = NaN;

  begin(): this {
    this.length = this.travelled = this.width = 0;
    return this;
  }

  moveTo(x: number, y: number): void {
    this.push(NaN, NaN);
    this.push(x, y);
  }

  lineTo(x: number, y: number): void {
    this.travelled += Math.abs(y - this.y);
    this.width += Math.abs(x - this.x);
    this.push(x, y);
  }

  get noisy(): boolean {
    return this.length / 2 > DENSE * this.width && this.travelled > STEEP * this.width;
  }

  /** As a path, to be stroked. */
  replay(path: PathSink): void {
    const { places, length } = this;
    let move = true;
    for (let i = 0; i < length; i += 2) {
      const [x = NaN, y = NaN] = [places[i], places[i + 1]];
      if (Number.isNaN(x)) move = true;
      else {
        if (move) path.moveTo(x, y);
        else path.lineTo(x, y);
        move = false;
      }
    }
  }

  /** As bars, one per column of pixels, from the lowest to the highest place of the line in it. */
  fillColumns(ink: Pick<Ink, "fillRect">, thickness: number): void {
    const { places, length } = this;
    let column = NaN;
    let low = 0;
    let high = 0;
    let fromX = 0;
    let fromY = 0;
    const fill = () => {
      if (!Number.isNaN(column)) {
        ink.fillRect(column, low - thickness / 2, 1, high - low + thickness);
      }
    };
    for (let i = 0; i < length; i += 2) {
      const x = places[i] ?? NaN;
      const y = places[i + 1] ?? NaN;
      if (Number.isNaN(x)) {
        fill();
        column = NaN;
        continue;
      }
      const to = Math.floor(x);
      if (Number.isNaN(column)) {
        column = to;
        low = high = y;
      }
      const slope = (y - fromY) / (x - fromX);
      while (column < to) {
        const edge = fromY + slope * (column + 1 - fromX); // where the line leaves the column
        low = Math.min(low, edge);
        high = Math.max(high, edge);
        fill();
        column += 1;
        low = high = edge;
      }
      low = Math.min(low, y);
      high = Math.max(high, y);
      fromX = x;
      fromY = y;
    }
    fill();
  }

  private push(x: number, y: number): void {
    if (this.length === this.places.length) {
      const more = new Float64Array(this.places.length * 2);
      more.set(this.places);
      this.places = more;
    }
    this.places[this.length] = this.x = x;
    this.places[this.length + 1] = this.y = y;
    this.length += 2;
  }
}
