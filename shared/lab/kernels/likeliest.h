// The likeliest next tokens for a few hidden states, without reading all of the head.
//
// The head is by far the widest matrix of a small model. Its rows are kept once more with 8 bits a
// number, a quarter to read. What that rounds is bounded, |<w - w', h>| <= |w - w'| |h|, so all
// tokens get a score and a bound on it, and only those are scored again with the weights themselves
// that by their bound can be among the wanted. services/inference/generation/packed.py packs.

#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "decode.h"
#include "vectors.h"

namespace lab::writing {

constexpr int64_t kMostListed = 8192;  // more than these and the caller had better score all
constexpr float kHalfRange = 16256.0f;  // 127 * 128: what two signed bytes hold, upper times 128

struct Halves {  // a row in 15 bits: numbers = step (128 upper + lower)
  std::vector<int8_t> upper, lower;
  int32_t upper_sum = 0, lower_sum = 0;
  float step = 0, length = 0;
  bool finite = true;
};

inline Halves halves_of(const float* h, int64_t C) {
  Halves halves{std::vector<int8_t>(C), std::vector<int8_t>(C)};
  float most = 0;
  double squares = 0;
  for (int64_t c = 0; c < C; ++c) {
    most = std::max(most, std::abs(h[c]));
    squares += static_cast<double>(h[c]) * h[c];
  }
  halves.length = static_cast<float>(std::sqrt(squares));
  halves.finite = std::isfinite(squares);
  halves.step = most > 0 ? most / kHalfRange : 1;
  for (int64_t c = 0; halves.finite && c < C; ++c) {
    const auto number = static_cast<int32_t>(std::lround(h[c] / halves.step));
    halves.upper[c] = static_cast<int8_t>((number + 64) >> 7);
    halves.lower[c] = static_cast<int8_t>(number - halves.upper[c] * 128);
    halves.upper_sum += halves.upper[c];
    halves.lower_sum += halves.lower[c];
  }
  return halves;
}

inline int32_t four(const int8_t* from) {
  int32_t together;
  std::memcpy(&together, from, 4);
  return together;
}

// Rough scores of 16 tokens for some rows. Bytes of weights are stored plus 128, because the
// instruction multiplies unsigned with signed ones; taking 128 times the row's sum off undoes it.
template <int ROWS>
inline void rough_strip(const uint8_t* weight, Vec scale, const Halves* rows, int64_t C,
                        Vec* scores) {
  __m512i upper[ROWS], lower[ROWS];
  const int8_t *up_from[ROWS], *low_from[ROWS];
  for (int row = 0; row < ROWS; ++row) {
    up_from[row] = rows[row].upper.data();
    low_from[row] = rows[row].lower.data();
    upper[row] = lower[row] = _mm512_setzero_si512();
  }
  for (int64_t k = 0; k < C; k += 4) {
    const __m512i w = _mm512_loadu_si512(weight + k * kLanes);
    for (int row = 0; row < ROWS; ++row) {
      upper[row] = _mm512_dpbusd_epi32(upper[row], w, _mm512_set1_epi32(four(up_from[row] + k)));
      lower[row] = _mm512_dpbusd_epi32(lower[row], w, _mm512_set1_epi32(four(low_from[row] + k)));
    }
  }
  for (int row = 0; row < ROWS; ++row) {
    const Halves& h = rows[row];
    const __m512i up = _mm512_sub_epi32(upper[row], _mm512_set1_epi32(128 * h.upper_sum));
    const __m512i low = _mm512_sub_epi32(lower[row], _mm512_set1_epi32(128 * h.lower_sum));
    const Vec number =
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(up), all(128.0f), _mm512_cvtepi32_ps(low));
    scores[row] = _mm512_mul_ps(_mm512_mul_ps(number, scale), all(h.step));
  }
}

inline void rough_strip_of(int rows, const uint8_t* weight, Vec scale, const Halves* first,
                           int64_t C, Vec* scores) {
  switch (rows) {
    case 1: return rough_strip<1>(weight, scale, first, C, scores);
    case 2: return rough_strip<2>(weight, scale, first, C, scores);
    case 3: return rough_strip<3>(weight, scale, first, C, scores);
    case 4: return rough_strip<4>(weight, scale, first, C, scores);
    case 5: return rough_strip<5>(weight, scale, first, C, scores);
    case 6: return rough_strip<6>(weight, scale, first, C, scores);
    case 7: return rough_strip<7>(weight, scale, first, C, scores);
    default: return rough_strip<8>(weight, scale, first, C, scores);
  }
}

inline float exact_score(const float* weight, const float* h, int64_t C) {
  Vec even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
  int64_t c = 0;
  for (; c + 2 * kLanes <= C; c += 2 * kLanes) {
    even = _mm512_fmadd_ps(_mm512_loadu_ps(weight + c), _mm512_loadu_ps(h + c), even);
    const int64_t d = c + kLanes;
    odd = _mm512_fmadd_ps(_mm512_loadu_ps(weight + d), _mm512_loadu_ps(h + d), odd);
  }
  if (c < C) even = _mm512_fmadd_ps(_mm512_loadu_ps(weight + c), _mm512_loadu_ps(h + c), even);
  return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

inline double log_total_of(const float* scores, int64_t count, float most) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += 4096) {
    Vec sum = _mm512_setzero_ps();
    for (int64_t s = begin; s < std::min(begin + 4096, count); s += kLanes) {
      const __mmask16 mask = first_of(count - s);
      const Vec off = _mm512_sub_ps(read(scores + s, mask), all(most));
      sum = _mm512_add_ps(sum, _mm512_maskz_mov_ps(mask, exp(off)));
    }
    total += _mm512_reduce_add_ps(sum);
  }
  return most + std::log(total);
}

// The ids whose score may be `least` or more.
inline std::vector<int32_t> at_least(const float* bounds, int64_t count, float least) {
  std::vector<int32_t> ids(count + kLanes);
  int64_t found = 0;
  const __m512i steps = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  for (int64_t s = 0; s < count; s += kLanes) {
    const __mmask16 in = _mm512_mask_cmp_ps_mask(first_of(count - s), read(bounds + s, 0xFFFF),
                                                 all(least), _CMP_GE_OQ);
    if (!in) continue;
    _mm512_mask_compressstoreu_epi32(ids.data() + found, in,
                                     _mm512_add_epi32(steps, _mm512_set1_epi32(s)));
    found += __builtin_popcount(in);
  }
  ids.resize(found);
  return ids;
}

struct Listed {
  std::vector<int32_t> ids;  // best first; none when all tokens had better be scored
  std::vector<float> scores;
  double log_total = 0;
};

// Scores in `rough` are made exact for those listed.
inline Listed listed_of(float* rough, const float* bounds, std::vector<float> best_of_strips,
                        const float* weight, const float* h, int64_t V, int64_t C, int64_t wanted,
                        int64_t listed) {
  auto scored = [&](const std::vector<int32_t>& ids) {
    std::vector<std::pair<float, int32_t>> scores;
    for (int32_t id : ids) scores.emplace_back(exact_score(weight + id * C, h, C), id);
    std::sort(scores.begin(), scores.end(), [](const auto& one, const auto& other) {
      return one.first != other.first ? one.first > other.first : one.second < other.second;
    });
    return scores;
  };
  // As many strips have a best of `least` or more, so at least as many tokens do.
  float least = -std::numeric_limits<float>::infinity();
  if (static_cast<int64_t>(best_of_strips.size()) >= listed) {
    const auto last = best_of_strips.begin() + listed - 1;
    std::nth_element(best_of_strips.begin(), last, best_of_strips.end(), std::greater<float>());
    least = *last;
  }
  std::vector<int32_t> ids = at_least(bounds, V, least);
  float outside = least;
  if (static_cast<int64_t>(ids.size()) > listed) {
    auto better = [&](int32_t one, int32_t other) {
      return bounds[one] != bounds[other] ? bounds[one] > bounds[other] : one < other;
    };
    std::nth_element(ids.begin(), ids.begin() + listed, ids.end(), better);
    outside = bounds[ids[listed]];
    ids.resize(listed);
  }
  auto scores = scored(ids);
  if (scores[wanted - 1].first < outside) {
    ids = at_least(bounds, V, scores[wanted - 1].first);
    if (static_cast<int64_t>(ids.size()) > kMostListed) return {};
    scores = scored(ids);
  }
  Listed found;
  for (const auto& [score, id] : scores) {
    rough[id] = score;
    found.ids.push_back(id);
    found.scores.push_back(score);
  }
  found.log_total = log_total_of(rough, V, scores[0].first);
  return found;
}

inline std::tuple<std::vector<Tensor>, std::vector<Tensor>, Tensor> likeliest(
    const Tensor& hidden, const Tensor& narrow, const Tensor& scales, const Tensor& slacks,
    const Tensor& weight, at::IntArrayRef wanted, int64_t listed) {
  const int64_t B = hidden.size(0), C = hidden.size(1), V = weight.size(0);
  const int64_t strips = (V + kLanes - 1) / kLanes, padded = strips * kLanes;
  TORCH_CHECK(narrow.numel() == padded * C && scales.numel() == padded, "head packed otherwise");
  for (int64_t count : wanted) TORCH_CHECK(0 < count && count <= std::min(listed, V));
  std::vector<Halves> rows;
  for (int64_t row = 0; row < B; ++row)
    rows.push_back(halves_of(hidden.data_ptr<float>() + row * C, C));
  const Tensor all_rough = at::empty({B, padded}, at::kFloat);
  const Tensor all_bounds = at::empty_like(all_rough);
  const Tensor all_best = at::empty({B, strips}, at::kFloat);
  float *rough = all_rough.data_ptr<float>(), *bounds = all_bounds.data_ptr<float>();
  float* best = all_best.data_ptr<float>();
  const int64_t grain = std::max<int64_t>(1, (1 << 17) / (C * kLanes));
  at::parallel_for(0, strips, grain, [&](int64_t begin, int64_t end) {
    Vec scores[kMostRows];
    for (int64_t s = begin; s < end; ++s) {
      const __mmask16 there = first_of(V - s * kLanes);
      const Vec scale = _mm512_loadu_ps(scales.data_ptr<float>() + s * kLanes);
      const Vec slack = _mm512_loadu_ps(slacks.data_ptr<float>() + s * kLanes);
      for (int64_t row = 0; row < B; row += kMostRows) {
        const int some = static_cast<int>(std::min<int64_t>(kMostRows, B - row));
        rough_strip_of(some, narrow.data_ptr<uint8_t>() + s * kLanes * C, scale, &rows[row], C,
                       scores);
        for (int r = 0; r < some; ++r) {
          const Vec bound = _mm512_fmadd_ps(slack, all(rows[row + r].length), scores[r]);
          _mm512_storeu_ps(rough + (row + r) * padded + s * kLanes, scores[r]);
          _mm512_storeu_ps(bounds + (row + r) * padded + s * kLanes, bound);
          best[(row + r) * strips + s] = _mm512_mask_reduce_max_ps(there, bound);
        }
      }
    }
  });
  std::vector<Tensor> ids, scores;
  Tensor log_totals = at::empty({B}, at::kDouble);
  for (int64_t row = 0; row < B; ++row) {
    Listed found;
    if (rows[row].finite)
      found = listed_of(rough + row * padded, bounds + row * padded,
                        {best + row * strips, best + (row + 1) * strips}, weight.data_ptr<float>(),
                        hidden.data_ptr<float>() + row * C, V, C, wanted[row], listed);
    const auto count = static_cast<int64_t>(found.ids.size());
    ids.push_back(at::empty({count}, at::kLong));
    scores.push_back(at::empty({count}, at::kDouble));
    std::copy(found.ids.begin(), found.ids.end(), ids.back().data_ptr<int64_t>());
    std::copy(found.scores.begin(), found.scores.end(), scores.back().data_ptr<double>());
    log_totals.data_ptr<double>()[row] = found.log_total;
  }
  return {ids, scores, log_totals};
}

}  // namespace lab::writing
