// Attention answers as numbers: square query × key matrices, exact (float32) or packed one byte per weight.
import { Dtype, type Tensor } from "@/gen/lab/v1/tensor_pb";
import { MalformedTensor } from "@/api/tensors";

/** A square matrix of exact weights, row by row; keys after their query are 0. */
export interface WeightMatrix {
  readonly tokens: number;
  readonly weights: Float32Array;
}

/** The matrix of each head, head by head within each layer, as exact weights. */
export function exactMatrices(tensor: Tensor): WeightMatrix[] {
  const { tokens, count } = checkShape(tensor, Dtype.FLOAT32, (side) => side * side * 4);
  const numbers = float32View(tensor.data);
  const cells = tokens * tokens;
  return Array.from({ length: count }, (_, index) => ({
    tokens,
    weights: numbers.subarray(index * cells, (index + 1) * cells),
  }));
}

/** A square matrix of square roots in one byte each: ready to be colours. */
export interface PackedMatrix {
  readonly tokens: number;
  readonly indices: Uint8Array;
}

/** The matrix of each head as a run recorded it: whole squares. */
export function packedMatrices(tensor: Tensor): PackedMatrix[] {
  const { tokens, count } = checkShape(tensor, Dtype.UINT8_SQRT, (side) => side * side);
  const cells = tokens * tokens;
  return Array.from({ length: count }, (_, index) => ({
    tokens,
    indices: tensor.data.subarray(index * cells, (index + 1) * cells),
  }));
}

/** The matrix of each head as the lab answers: the half that is not masked, row by row. */
export function triangleMatrices(tensor: Tensor): PackedMatrix[] {
  const triangle = (side: number) => (side * (side + 1)) / 2;
  const { tokens, count } = checkShape(tensor, Dtype.UINT8_SQRT_TRIANGLE, triangle);
  let from = 0;
  return Array.from({ length: count }, () => {
    const indices = new Uint8Array(tokens * tokens);
    for (let query = 0; query < tokens; query += 1) {
      indices.set(tensor.data.subarray(from, from + query + 1), query * tokens);
      from += query + 1;
    }
    return { tokens, indices };
  });
}

function checkShape(tensor: Tensor, dtype: Dtype, matrixBytes: (side: number) => number) {
  const [layers, heads, queries, keys] = tensor.shape;
  if (tensor.dtype !== dtype || tensor.shape.length !== 4) {
    throw new MalformedTensor("The server answered with weights in a form that was not asked for.");
  }
  const count = (layers ?? 0) * (heads ?? 0);
  const tokens = queries ?? 0;
  const bytes = count * matrixBytes(tokens);
  if (queries !== keys || bytes !== tensor.data.byteLength) {
    throw new MalformedTensor(
      `The server answered with ${tensor.data.byteLength} bytes of weights where ${bytes} belong.`,
    );
  }
  return { tokens, count };
}

// Bytes inside a larger frame may start anywhere, and a Float32Array may not.
function float32View(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/** Cell by cell what another model gives more (or less) than this one. */
export function differenceOf(one: WeightMatrix, other: WeightMatrix): WeightMatrix {
  const weights = other.weights.map((weight, cell) => weight - (one.weights[cell] ?? 0));
  return { tokens: one.tokens, weights };
}

/** Adds matrices up cell by cell and divides by their number. */
export function meanMatrix(matrices: readonly WeightMatrix[]): WeightMatrix {
  const tokens = matrices[0]?.tokens ?? 0;
  const weights = new Float32Array(tokens * tokens);
  for (const matrix of matrices) {
    for (let cell = 0; cell < weights.length; cell++) {
      weights[cell] = (weights[cell] ?? 0) + (matrix.weights[cell] ?? 0) / matrices.length;
    }
  }
  return { tokens, weights };
}

/** The weights of one query on itself and everything before it. */
export function rowOf({ tokens, weights }: WeightMatrix, query: number): Float32Array {
  return weights.subarray(query * tokens, query * tokens + query + 1);
}

export function rowSum(matrix: WeightMatrix, query: number): number {
  return rowOf(matrix, query).reduce((sum, weight) => sum + weight, 0);
}

/** How much weight lies on three places that many heads are known for, averaged over the queries that have them. */
export interface HeadHabits {
  readonly itself: number;
  readonly previous: number;
  readonly first: number;
}

export function headHabits(matrix: WeightMatrix): HeadHabits | null {
  const { tokens, weights } = matrix;
  if (tokens < 3) return null;
  let itself = 0;
  let previous = 0;
  let first = 0;
  // From the third token on the three places are three different cells.
  for (let query = 2; query < tokens; query++) {
    const row = query * tokens;
    itself += weights[row + query] ?? 0;
    previous += weights[row + query - 1] ?? 0;
    first += weights[row] ?? 0;
  }
  const rows = tokens - 2;
  return { itself: itself / rows, previous: previous / rows, first: first / rows };
}

/** The keys a query looks at most, best first; of differences those that differ most. */
export function strongestKeys(
  matrix: WeightMatrix,
  query: number,
  count: number,
): { key: number; weight: number }[] {
  return [...rowOf(matrix, query)]
    .map((weight, key) => ({ key, weight }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight) || a.key - b.key)
    .slice(0, count);
}

/** Without the first token, where heads put what they have no use for; the rest of each row sums to 1 again. */
export function withoutSink({ tokens, weights }: WeightMatrix): WeightMatrix {
  const free = new Float32Array(weights);
  for (let query = 0; query < tokens; query++) {
    const row = free.subarray(query * tokens, query * tokens + query + 1);
    row[0] = 0;
    const rest = row.reduce((sum, weight) => sum + weight, 0);
    // A row that looked nowhere else is empty then.
    if (rest > 0) row.forEach((weight, key) => (row[key] = weight / rest));
  }
  return { tokens, weights: free };
}
