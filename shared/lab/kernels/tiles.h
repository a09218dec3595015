// Matrix products in tiles (AMX), and the forms in which they want a matrix.
//
// Of the right-hand matrix (K, n) a tile holds pairs of rows interleaved, (K / 2, n, 2); the left-hand
// one and the result lie as usual. Products are summed in fp32, and stay so until they are stored.

#pragma once

#include <ATen/native/CPUBlas.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "vectors.h"

namespace lab {

inline at::Tensor room(int64_t numbers, at::ScalarType type) {
  return at::empty({numbers}, at::TensorOptions().dtype(type));
}

struct Matrix {
  const BFloat16* numbers;
  int64_t row;  // numbers from one row to the next
};

// to (m, n) = or += left (m, k) right (k, n), the right in pairs.
inline void multiply(int64_t m, int64_t n, int64_t k, Matrix left, Matrix right, float* to,
                     int64_t to_row, bool add) {
  at::native::cpublas::brgemm(m, n, k, left.row, right.row, to_row, add, left.numbers,
                              right.numbers, to);
}

// The processor keeps tiles set up until it is told; each thread says so when it is done.
inline void done_multiplying() { at::native::cpublas::brgemm_release(); }

// (rows, width) as the right-hand matrix (rows, width): rows interleaved, (padded / 2, width, 2).
inline void rows_in_pairs(Matrix from, int64_t rows, int64_t padded, int64_t width, BFloat16* to) {
  for (int64_t r = 0; r < padded; r += 2)
    for (int64_t c = 0; c < width; c += kLanes) {
      __mmask16 lanes = first(std::min(kLanes, width - c));
      const BFloat16* at = from.numbers + r * from.row + c;
      __m512i pairs = in_pairs(load(at, r < rows ? lanes : 0),
                               load(at + from.row, r + 1 < rows ? lanes : 0));
      _mm512_mask_storeu_epi32(to + r * width + 2 * c, lanes, pairs);
    }
}

// (rows, width) as the right-hand matrix (width, rows): a pair lies side by side already, and moves
// as one, (width / 2, padded, 2). `padded` is a multiple of 16.
inline void columns_in_pairs(Matrix from, int64_t rows, int64_t padded, int64_t width, BFloat16* to) {
  for (int64_t r = 0; r < padded; r += kLanes)
    for (int64_t c = 0; c < width; c += 2 * kLanes) {
      const int64_t pairs = std::min(kLanes, (width - c) / 2);
      Vec square[kLanes];
      for (int64_t i = 0; i < kLanes; i++)
        square[i] = _mm512_maskz_loadu_ps(r + i < rows ? first(pairs) : 0,
                                          from.numbers + (r + i) * from.row + c);
      turn(square);
      for (int64_t j = 0; j < pairs; j++)
        _mm512_storeu_ps(to + (c + 2 * j) * padded + 2 * r, square[j]);
    }
}

// (rows, width) as the left-hand matrix (width, padded). Both are multiples of 16.
inline void turned(Matrix from, int64_t rows, int64_t padded, int64_t width, BFloat16* to) {
  for (int64_t r = 0; r < padded; r += kLanes)
    for (int64_t c = 0; c < width; c += kLanes) {
      Vec square[kLanes];
      for (int64_t i = 0; i < kLanes; i++)
        square[i] = load(from.numbers + (r + i) * from.row + c, r + i < rows ? 0xffff : 0);
      turn(square);
      for (int64_t j = 0; j < kLanes; j++) store(to + (c + j) * padded + r, square[j]);
    }
}

// Whether torch's products have the instructions that this counts on.
inline bool multiplies_in_tiles() { return at::native::cpublas::could_pack(at::kBFloat16); }

}  // namespace lab
