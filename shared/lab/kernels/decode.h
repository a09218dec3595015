// The forward pass of a GPT-2 for a few tokens of each of a few texts, in one call.
//
// lab/model/gpt.py says what is computed; services/inference/generation/decoder.py is the same in
// torch. A text alone multiplies each weight with one number, so what counts is how fast weights
// come from memory, and how little happens in between: starting the hundred operations of a step
// takes torch longer than doing them in a small model.
//
// Weights lie in the order in which they are read, in strips of 16 outputs, so that one instruction
// multiplies the weights of 16 outputs with one number of a row and adds to 16 sums. Nothing is
// summed across a vector, and each row is summed in the same order whatever other rows there are:
// a text does not change with its neighbours, not in a single bit, and neither with the threads,
// which share the strips.

#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "vectors.h"

namespace lab::writing {

using at::Tensor;

// GELU in its tanh form: x / (1 + e^-2u) with u = sqrt(2/pi) (x + 0.044715 x^3).
inline Vec bent(Vec x) {
  const Vec cube = _mm512_mul_ps(_mm512_mul_ps(x, x), x);
  const Vec inner = _mm512_fmadd_ps(cube, all(0.044715f), x);
  const Vec power = exp(_mm512_mul_ps(inner, all(-1.5957691216f)));
  return _mm512_div_ps(x, _mm512_add_ps(all(1.0f), power));
}

inline __mmask16 first_of(int64_t count) { return count < kLanes ? first(count) : 0xffff; }

// ---- a strip of 16 outputs for `ROWS` rows: weights are read once for all of them

template <int ROWS>
inline void strip(const float* weight, const float* x, int64_t stride, int64_t inputs,
                  Vec* sums) {
  Vec even[ROWS], odd[ROWS];
  for (int row = 0; row < ROWS; ++row) even[row] = odd[row] = _mm512_setzero_ps();
  for (int64_t k = 0; k < inputs; k += 2) {
    const Vec w0 = _mm512_loadu_ps(weight + k * kLanes);
    const Vec w1 = _mm512_loadu_ps(weight + (k + 1) * kLanes);
    for (int row = 0; row < ROWS; ++row) {
      even[row] = _mm512_fmadd_ps(w0, all(x[row * stride + k]), even[row]);
      odd[row] = _mm512_fmadd_ps(w1, all(x[row * stride + k + 1]), odd[row]);
    }
  }
  for (int row = 0; row < ROWS; ++row) sums[row] = _mm512_add_ps(even[row], odd[row]);
}

// In bf16 two inputs of an output lie side by side: the upper and the lower half of 32 bits. The
// row itself is not rounded.
template <int ROWS>
inline void strip(const BFloat16* weight, const float* x, int64_t stride, int64_t inputs,
                  Vec* sums) {
  Vec even[ROWS], odd[ROWS];
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000u));
  for (int row = 0; row < ROWS; ++row) even[row] = odd[row] = _mm512_setzero_ps();
  for (int64_t k = 0; k < inputs; k += 2) {
    const __m512i both = _mm512_loadu_si512(weight + k * kLanes);
    const Vec w0 = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    const Vec w1 = _mm512_castsi512_ps(_mm512_and_si512(both, upper));
    for (int row = 0; row < ROWS; ++row) {
      even[row] = _mm512_fmadd_ps(w0, all(x[row * stride + k]), even[row]);
      odd[row] = _mm512_fmadd_ps(w1, all(x[row * stride + k + 1]), odd[row]);
    }
  }
  for (int row = 0; row < ROWS; ++row) sums[row] = _mm512_add_ps(even[row], odd[row]);
}

constexpr int kMostRows = 8;  // as many as have their sums in registers

template <typename Weight>
inline void strip_of(int rows, const Weight* weight, const float* x, int64_t stride,
                     int64_t inputs, Vec* sums) {
  switch (rows) {
    case 1: return strip<1>(weight, x, stride, inputs, sums);
    case 2: return strip<2>(weight, x, stride, inputs, sums);
    case 3: return strip<3>(weight, x, stride, inputs, sums);
    case 4: return strip<4>(weight, x, stride, inputs, sums);
    case 5: return strip<5>(weight, x, stride, inputs, sums);
    case 6: return strip<6>(weight, x, stride, inputs, sums);
    case 7: return strip<7>(weight, x, stride, inputs, sums);
    default: return strip<8>(weight, x, stride, inputs, sums);
  }
}

enum class Then { store, bend, add };

// y = x W^T + b, or GELU of that, or added to y.
template <Then then, typename Weight>
void product(const Weight* weight, const float* bias, const float* x, float* y, int64_t rows,
             int64_t inputs, int64_t outputs) {
  const int64_t strips = outputs / kLanes;
  const int64_t grain = std::max<int64_t>(1, (1 << 16) / (inputs * kLanes));
  at::parallel_for(0, strips, grain, [&](int64_t begin, int64_t end) {
    Vec sums[kMostRows];
    for (int64_t s = begin; s < end; ++s) {
      const Vec added = _mm512_loadu_ps(bias + s * kLanes);
      for (int64_t row = 0; row < rows; row += kMostRows) {
        const int some = static_cast<int>(std::min<int64_t>(kMostRows, rows - row));
        strip_of(some, weight + s * kLanes * inputs, x + row * inputs, inputs, inputs, sums);
        for (int r = 0; r < some; ++r) {
          float* to = y + (row + r) * outputs + s * kLanes;
          Vec sum = _mm512_add_ps(sums[r], added);
          if (then == Then::bend) sum = bent(sum);
          if (then == Then::add) sum = _mm512_add_ps(_mm512_loadu_ps(to), sum);
          _mm512_storeu_ps(to, sum);
        }
      }
    }
  });
}

inline void layer_norm(const float* x, const float* scale, const float* shift, float* y,
                       int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    Vec sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (int64_t c = 0; c < width; c += kLanes) sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + c));
    const Vec mean = all(_mm512_reduce_add_ps(sum) / width);
    for (int64_t c = 0; c < width; c += kLanes) {
      const Vec off = _mm512_sub_ps(_mm512_loadu_ps(x + c), mean);
      squares = _mm512_fmadd_ps(off, off, squares);
    }
    const float variance = _mm512_reduce_add_ps(squares) / width;
    const Vec shrink = all(1.0f / std::sqrt(variance + 1e-5f));
    for (int64_t c = 0; c < width; c += kLanes) {
      const Vec off = _mm512_sub_ps(_mm512_loadu_ps(x + c), mean);
      const Vec scaled = _mm512_mul_ps(_mm512_mul_ps(off, shrink), _mm512_loadu_ps(scale + c));
      _mm512_storeu_ps(y + c, _mm512_add_ps(scaled, _mm512_loadu_ps(shift + c)));
    }
  }
}

// What is kept as fp32 or as bf16 is computed with as fp32.
inline Vec read(const float* from, __mmask16 lanes) { return _mm512_maskz_loadu_ps(lanes, from); }
inline Vec read(const BFloat16* from, __mmask16 lanes) { return load(from, lanes); }
inline void write(float* to, Vec values, __mmask16 lanes) {
  _mm512_mask_storeu_ps(to, lanes, values);
}
inline void write(BFloat16* to, Vec values, __mmask16 lanes) { store(to, values, lanes); }

// One head of one row: softmax(q K^T / sqrt(D)) V over the first `count` places.
template <typename Kept>
inline void look_back(const float* query, const Kept* keys, const Kept* values, int64_t count,
                      int64_t D, float* scores, float* found) {
  const float shrink = 1.0f / std::sqrt(static_cast<float>(D));
  for (int64_t s = 0; s < count; ++s) {
    Vec sum = _mm512_setzero_ps();
    for (int64_t d = 0; d < D; d += kLanes) {
      const __mmask16 lanes = first_of(D - d);
      sum = _mm512_fmadd_ps(read(keys + s * D + d, lanes), read(query + d, lanes), sum);
    }
    scores[s] = _mm512_reduce_add_ps(sum) * shrink;
  }
  float most = scores[0];
  for (int64_t s = 1; s < count; ++s) most = std::max(most, scores[s]);
  Vec total = _mm512_setzero_ps();
  for (int64_t s = 0; s < count; s += kLanes) {
    const __mmask16 lanes = first_of(count - s);
    const Vec off = _mm512_sub_ps(read(scores + s, lanes), all(most));
    const Vec weight = _mm512_maskz_mov_ps(lanes, exp(off));
    _mm512_mask_storeu_ps(scores + s, lanes, weight);
    total = _mm512_add_ps(total, weight);
  }
  const Vec share = all(1.0f / _mm512_reduce_add_ps(total));
  for (int64_t d = 0; d < D; d += kLanes) {
    const __mmask16 lanes = first_of(D - d);
    Vec sum = _mm512_setzero_ps(), other = _mm512_setzero_ps();
    int64_t s = 0;
    for (; s + 1 < count; s += 2) {
      sum = _mm512_fmadd_ps(read(values + s * D + d, lanes), all(scores[s]), sum);
      other = _mm512_fmadd_ps(read(values + (s + 1) * D + d, lanes), all(scores[s + 1]), other);
    }
    if (s < count)
      sum = _mm512_fmadd_ps(read(values + s * D + d, lanes), all(scores[s]), sum);
    _mm512_mask_storeu_ps(found + d, lanes, _mm512_mul_ps(_mm512_add_ps(sum, other), share));
  }
}

struct Row {
  int64_t part, place;  // whose it is, and where in its text it stands
};

// Stores the keys and values of new rows, then looks back from each of them.
template <typename Kept>
void attention(const std::vector<Row>& rows, at::TensorList rooms, int64_t layer, int64_t heads,
               int64_t D, const float* qkv, float* found) {
  const int64_t C = heads * D;
  std::vector<Kept*> kept;
  std::vector<int64_t> sizes;
  for (const Tensor& room : rooms) {  // (L, 2, H, S, D)
    sizes.push_back(room.size(3));
    kept.push_back(room.data_ptr<Kept>() + layer * room.stride(0));
  }
  for (size_t n = 0; n < rows.size(); ++n)
    for (int64_t which = 0; which < 2; ++which)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t size = sizes[rows[n].part];
        Kept* to = kept[rows[n].part] + ((which * heads + h) * size + rows[n].place) * D;
        const float* from = qkv + n * 3 * C + (1 + which) * C + h * D;
        for (int64_t d = 0; d < D; d += kLanes) {
          const __mmask16 lanes = first_of(D - d);
          write(to + d, read(from + d, lanes), lanes);
        }
      }
  const int64_t looks = static_cast<int64_t>(rows.size()) * heads;
  at::parallel_for(0, looks, heads, [&](int64_t begin, int64_t end) {
    std::vector<float> scores;
    for (int64_t each = begin; each < end; ++each) {
      const int64_t n = each / heads, h = each % heads;
      const int64_t size = sizes[rows[n].part], count = rows[n].place + 1;
      scores.resize(std::max<size_t>(scores.size(), count));
      const Kept* keys = kept[rows[n].part] + h * size * D;
      look_back(qkv + n * 3 * C + h * D, keys, keys + heads * size * D, count, D, scores.data(),
                found + n * C + h * D);
    }
  });
}

template <typename Weight>
void blocks(const std::vector<Row>& rows, at::TensorList rooms, const Tensor& matrices,
            const Tensor& vectors, int64_t layers, int64_t heads, int64_t C, int64_t wide,
            float* x) {
  const int64_t N = rows.size();
  std::vector<float> norm(N * C), qkv(N * 3 * C), found(N * C), widened(N * wide);
  const Weight* w = matrices.data_ptr<Weight>();
  const float* v = vectors.data_ptr<float>();
  auto next = [](auto& at, int64_t count) {
    auto here = at;
    at += count;
    return here;
  };
  for (int64_t layer = 0; layer < layers; ++layer) {
    const float* scale = next(v, C);
    layer_norm(x, scale, next(v, C), norm.data(), N, C);
    const Weight* into_qkv = next(w, 3 * C * C);
    product<Then::store>(into_qkv, next(v, 3 * C), norm.data(), qkv.data(), N, C, 3 * C);
    attention<Weight>(rows, rooms, layer, heads, C / heads, qkv.data(), found.data());
    const Weight* out = next(w, C * C);
    product<Then::add>(out, next(v, C), found.data(), x, N, C, C);
    scale = next(v, C);
    layer_norm(x, scale, next(v, C), norm.data(), N, C);
    const Weight* widen = next(w, C * wide);
    product<Then::bend>(widen, next(v, wide), norm.data(), widened.data(), N, C, wide);
    const Weight* narrow = next(w, C * wide);
    product<Then::add>(narrow, next(v, C), widened.data(), x, N, wide, C);
  }
}

inline Tensor decode(at::IntArrayRef ids, at::IntArrayRef counts, at::IntArrayRef seen,
                     at::TensorList rooms, const Tensor& tokens, const Tensor& places,
                     const Tensor& matrices, const Tensor& vectors, int64_t heads,
                     int64_t wide) {
  const int64_t C = tokens.size(1), N = ids.size(), B = counts.size();
  const int64_t layers = rooms[0].size(0);
  Tensor x = at::empty({N, C}, at::kFloat), last = at::empty({B, C}, at::kFloat);
  std::vector<Row> rows;
  for (int64_t part = 0; part < B; ++part)
    for (int64_t t = 0; t < counts[part]; ++t) rows.push_back({part, seen[part] + t});
  TORCH_CHECK(static_cast<int64_t>(rows.size()) == N, "counts do not add up to the ids");
  float* to = x.data_ptr<float>();
  for (int64_t n = 0; n < N; ++n) {
    TORCH_CHECK(ids[n] >= 0 && ids[n] < tokens.size(0), "unknown id ", ids[n]);
    TORCH_CHECK(rows[n].place < places.size(0) && rows[n].place < rooms[rows[n].part].size(3),
                "no room for place ", rows[n].place);
    const float* token = tokens.data_ptr<float>() + ids[n] * C;
    const float* place = places.data_ptr<float>() + rows[n].place * C;
    for (int64_t c = 0; c < C; ++c) to[n * C + c] = token[c] + place[c];
  }
  if (matrices.scalar_type() == at::kFloat)
    blocks<float>(rows, rooms, matrices, vectors, layers, heads, C, wide, to);
  else
    blocks<BFloat16>(rows, rooms, matrices, vectors, layers, heads, C, wide, to);
  const float* v = vectors.data_ptr<float>() + vectors.numel() - 2 * C;
  int64_t end = 0;
  for (int64_t part = 0; part < B; ++part) {
    end += counts[part];
    layer_norm(to + (end - 1) * C, v, v + C, last.data_ptr<float>() + part * C, 1, C);
  }
  return last;
}

}  // namespace lab::writing
