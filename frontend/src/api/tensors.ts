// Arrays of the lab's answers as typed arrays: exact numbers as they are, packed ones unpacked.
import { Dtype, type NamedTensor, type Tensor } from "@/gen/lab/v1/tensor_pb";

export interface Numbers {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export class MalformedTensor extends Error {
  override name = "MalformedTensor";
}

const BYTES: Partial<Record<Dtype, number>> = {
  [Dtype.FLOAT32]: 4,
  [Dtype.INT32]: 4,
  [Dtype.UINT8_SQRT]: 1,
};

/** The numbers of an array, last axis fastest. Packed weights are unpacked: they are exact to 0.004. */
export function numbersOf(tensor: Tensor): Numbers {
  const { shape, dtype, data } = tensor;
  const count = shape.reduce((product, size) => product * size, 1);
  if (dtype === Dtype.UINT8_SQRT_TRIANGLE) return { shape, values: fromTriangles(tensor, count) };
  const bytes = BYTES[dtype];
  if (bytes === undefined)
    throw new MalformedTensor(`The lab's answer has numbers of kind ${dtype}.`);
  expectBytes(tensor, count * bytes);
  if (dtype === Dtype.UINT8_SQRT) return { shape, values: Float32Array.from(data, weightOf) };
  const aligned = data.slice(); // bytes inside a larger message may start anywhere
  if (dtype === Dtype.FLOAT32) return { shape, values: new Float32Array(aligned.buffer) };
  return { shape, values: Float32Array.from(new Int32Array(aligned.buffer)) };
}

/** The array of a name; an error that says which is missing. */
export function tensorNamed(tensors: readonly NamedTensor[], name: string): Numbers {
  const found = tensors.find((one) => one.name === name)?.tensor;
  if (found === undefined) throw new MalformedTensor(`The lab's answer has no array "${name}".`);
  return numbersOf(found);
}

/** A byte stands for the square of its share of 255: fine near 0, where attention lives. */
export function weightOf(byte: number): number {
  return (byte / 255) ** 2;
}

function fromTriangles(tensor: Tensor, count: number): Float32Array {
  const side = tensor.shape.at(-1) ?? 0;
  const matrices = side === 0 ? 0 : count / (side * side);
  expectBytes(tensor, (matrices * side * (side + 1)) / 2);
  const values = new Float32Array(count);
  let from = 0;
  for (let row = 0; row < matrices * side; row += 1) {
    const length = (row % side) + 1;
    for (let column = 0; column < length; column += 1) {
      values[row * side + column] = weightOf(tensor.data[from + column] ?? 0);
    }
    from += length;
  }
  return values;
}

function expectBytes({ data }: Tensor, bytes: number): void {
  if (data.byteLength === bytes) return;
  throw new MalformedTensor(
    `The lab's answer has ${data.byteLength} bytes of numbers where ${bytes} belong.`,
  );
}
