// Gradients that were made in bf16 go to where they are summed up in fp32, in one pass.
//
// torch makes an fp32 copy of them first and adds that: 18 bytes through memory for each number
// where 10 are enough. What is `fresh` counts as zero, whatever is in it: the first sum of a step
// replaces that of the step before, and nobody has to set it to zero first.

#pragma once

#include <ATen/core/Tensor.h>

#include "vectors.h"

namespace lab {

constexpr int64_t kColumns = 64, kShortSum = 64;

inline void add_to_gradient(const at::Tensor& gradient, const at::Tensor& found, bool fresh) {
  TORCH_CHECK(gradient.is_contiguous() && found.is_contiguous());
  TORCH_CHECK(gradient.sizes() == found.sizes());
  float* to = gradient.data_ptr<float>();
  const BFloat16* from = found.const_data_ptr<BFloat16>();
  for_each_vec(found.numel(), [=](int64_t i, __mmask16 lanes) {
    Vec before = _mm512_maskz_loadu_ps(fresh ? 0 : lanes, to + i);
    Vec sum = _mm512_add_ps(before, load(from + i, lanes));
    _mm512_mask_storeu_ps(to + i, lanes, sum);
  });
}

// The sum over all tokens, (N, C) to (C), as a bias wants it. Short sums are made first and then
// added up, since fp32 rounds them less than one long sum. Threads share the columns.
inline void add_sum_to_gradient(
    const at::Tensor& gradient, const at::Tensor& found, bool fresh) {
  const int64_t N = found.size(0), C = found.size(1);
  TORCH_CHECK(gradient.is_contiguous() && found.is_contiguous() && gradient.numel() == C);
  float* to = gradient.data_ptr<float>();
  const BFloat16* from = found.const_data_ptr<BFloat16>();
  at::parallel_for(0, (C + kColumns - 1) / kColumns, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      const int64_t column = block * kColumns;
      Vec total[kColumns / kLanes];
      __mmask16 lanes[kColumns / kLanes];
      for (int64_t j = 0; j < kColumns / kLanes; j++) {
        total[j] = all(0);
        lanes[j] = first(std::clamp<int64_t>(C - column - j * kLanes, 0, kLanes));
      }
      for (int64_t n = 0; n < N; n += kShortSum) {
        Vec sum[kColumns / kLanes] = {all(0), all(0), all(0), all(0)};
        for (int64_t i = n; i < std::min(N, n + kShortSum); i++)
          for (int64_t j = 0; j < kColumns / kLanes; j++)
            sum[j] = _mm512_add_ps(sum[j], load(from + i * C + column + j * kLanes, lanes[j]));
        for (int64_t j = 0; j < kColumns / kLanes; j++) total[j] = _mm512_add_ps(total[j], sum[j]);
      }
      for (int64_t j = 0; j < kColumns / kLanes; j++) {
        float* at = to + column + j * kLanes;
        Vec sum = _mm512_add_ps(_mm512_maskz_loadu_ps(fresh ? 0 : lanes[j], at), total[j]);
        _mm512_mask_storeu_ps(at, lanes[j], sum);
      }
    }
  });
}

}  // namespace lab
