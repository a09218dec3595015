// Sixteen numbers at once: what the kernels share.
//
// bf16 is the upper half of an fp32 number. Everything here is read from bf16, computed in fp32 and
// rounded once when it is written.

#pragma once

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>
#include <immintrin.h>

#include <algorithm>
#include <cstdint>

namespace lab {

using c10::BFloat16;
using Vec = __m512;  // 16 fp32 numbers

constexpr int64_t kLanes = 16;

inline int64_t round_up(int64_t number, int64_t to) { return (number + to - 1) / to * to; }

// The first `count` lanes, for what is left at the end of a row.
inline __mmask16 first(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }

inline Vec all(float value) { return _mm512_set1_ps(value); }

inline Vec load(const BFloat16* from, __mmask16 lanes = 0xffff) {
  __m256i half = _mm256_maskz_loadu_epi16(lanes, from);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

inline void store(BFloat16* to, Vec values, __mmask16 lanes = 0xffff) {
  _mm256_mask_storeu_epi16(to, lanes, (__m256i)_mm512_cvtneps_pbh(values));
}

// Two times 16 side by side: 32 bf16 numbers, one line of the cache.
inline __m512i to_bf16(Vec low, Vec high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

// The same of two rows, number by number: a, b of the first place, then of the second ...
inline __m512i in_pairs(Vec even, Vec odd) {
  const __m512i order = _mm512_set_epi16(
      31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
      23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, to_bf16(even, odd));
}

// Rows become columns, in a square of 16 x 16: single numbers change places first, then pairs, then
// fours, then eights.
inline void turn(Vec square[kLanes]) {
  Vec other[kLanes];
  for (int i = 0; i < 16; i += 2) {
    other[i] = _mm512_unpacklo_ps(square[i], square[i + 1]);
    other[i + 1] = _mm512_unpackhi_ps(square[i], square[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int k = 0; k < 2; k++) {
      __m512d above = _mm512_castps_pd(other[i + k]), below = _mm512_castps_pd(other[i + k + 2]);
      square[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(above, below));
      square[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(above, below));
    }
  for (int i = 0; i < 16; i += 8)
    for (int k = 0; k < 4; k++) {
      other[i + k] = _mm512_shuffle_f32x4(square[i + k], square[i + k + 4], 0x88);
      other[i + k + 4] = _mm512_shuffle_f32x4(square[i + k], square[i + k + 4], 0xdd);
    }
  for (int k = 0; k < 8; k++) {
    square[k] = _mm512_shuffle_f32x4(other[k], other[k + 8], 0x88);
    square[k + 8] = _mm512_shuffle_f32x4(other[k], other[k + 8], 0xdd);
  }
}

// e^x = 2^n 2^f with x log2(e) = n + f, where |f| <= 1/2. scalef multiplies by 2^n, and knows what
// is 0, what is infinite and what is no number. Good to 2e-7 of the result, and where |x| is large
// to 6e-8 |x|, since n + f is rounded to fp32. (The polynomial is that of Cephes' exp2f.)
inline Vec exp2(Vec x) {
  Vec n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  Vec f = _mm512_sub_ps(x, n);
  Vec p = all(1.535336188319500e-4f);
  p = _mm512_fmadd_ps(p, f, all(1.339887440266574e-3f));
  p = _mm512_fmadd_ps(p, f, all(9.618437357674640e-3f));
  p = _mm512_fmadd_ps(p, f, all(5.550332471162809e-2f));
  p = _mm512_fmadd_ps(p, f, all(2.402264791363012e-1f));
  p = _mm512_fmadd_ps(p, f, all(6.931472028550421e-1f));
  p = _mm512_fmadd_ps(p, f, all(1.0f));
  return _mm512_scalef_ps(p, n);
}

constexpr float kLog2E = 1.44269504088896340736f;

inline Vec exp(Vec x) { return exp2(_mm512_mul_ps(x, all(kLog2E))); }

inline Vec sigmoid(Vec x) {
  Vec e = exp(_mm512_min_ps(all(80.0f), _mm512_sub_ps(all(0), x)));  // in this order NaN stays
  Vec d = _mm512_add_ps(e, all(1.0f)), r = _mm512_rcp14_ps(d);
  return _mm512_mul_ps(r, _mm512_fnmadd_ps(d, r, all(2.0f)));  // one step of Newton's for 1 / d
}

constexpr int64_t kGrain = 1 << 15;  // numbers that are worth a thread of their own

// Calls `of(i, lanes)` for every 16 numbers, i being the first; each stands for itself.
template <typename Of>
void for_each_vec(int64_t numbers, const Of& of) {
  at::parallel_for(0, (numbers + kLanes - 1) / kLanes, kGrain / kLanes, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++)
      of(i * kLanes, first(std::min(kLanes, numbers - i * kLanes)));
  });
}

}  // namespace lab
