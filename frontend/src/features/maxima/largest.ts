// The largest numbers of a layer, with what and where they are. Pure.
import { tensorNamed } from "@/api/tensors";
import type { NamedTensor } from "@/gen/lab/v1/tensor_pb";

export type Where = "neuron" | "stream";

export interface Largest {
  readonly value: number;
  /** Which neuron, or which dimension of the stream. */
  readonly id: number;
  /** The token it is at. */
  readonly place: number;
}

export interface LargestByLayer {
  readonly rows: readonly string[];
  readonly top: number;
  /** [rows, top], largest first, without their signs. */
  readonly sizes: Float32Array;
  readonly most: number;
  readonly of: (row: number) => Largest[];
}

export function largestByLayer(tensors: readonly NamedTensor[], where: Where): LargestByLayer {
  const { shape, values } = tensorNamed(tensors, `${where}_values`);
  const ids = tensorNamed(tensors, `${where}_ids`).values;
  const places = tensorNamed(tensors, `${where}_places`).values;
  const [count = 0, top = 0] = shape;
  const sizes = values.map(Math.abs);
  return {
    rows: Array.from({ length: count }, (_, row) => nameOf(where, row)),
    top,
    sizes,
    most: sizes.reduce((most, size) => Math.max(most, size), 1e-9),
    of: (row) =>
      Array.from({ length: top }, (_, rank) => {
        const cell = row * top + rank;
        return { value: values[cell] ?? 0, id: ids[cell] ?? 0, place: places[cell] ?? 0 };
      }),
  };
}

function nameOf(where: Where, row: number): string {
  if (where === "neuron") return `layer ${row}`;
  return row === 0 ? "embedding" : `after ${row - 1}`;
}
