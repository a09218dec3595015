// How large a tensor, its gradient and its update are, in one pass over the four numbers each weight
// has. services/trainer/worker/recording/health.py says what is computed, and does the same in torch, with
// seven passes over a piece that the cache holds.
//
// Each short piece is summed in fp32 and the pieces in fp64, in their order, whatever the threads.

#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <vector>

#include "vectors.h"

namespace lab {

constexpr int64_t kPiece = 1 << 12;  // numbers; 256 additions in each lane

// With d = m / (sqrt(v) + epsilon), the sums of w w, w d, d d and g g, in fp64 (4).
inline at::Tensor health_sums(
    const at::Tensor& weight, const at::Tensor& gradient, const at::Tensor& mean,
    const at::Tensor& square, double epsilon) {
  const int64_t numbers = weight.numel(), pieces = (numbers + kPiece - 1) / kPiece;
  for (const at::Tensor& each : {weight, gradient, mean, square})
    TORCH_CHECK(each.is_contiguous() && each.numel() == numbers);
  const float *w = weight.const_data_ptr<float>(), *g = gradient.const_data_ptr<float>();
  const float *m = mean.const_data_ptr<float>(), *v = square.const_data_ptr<float>();
  std::vector<float> found(4 * pieces);
  at::parallel_for(0, pieces, kGrain / kPiece, [&](int64_t from, int64_t to) {
    for (int64_t piece = from; piece < to; piece++) {
      Vec sums[4] = {all(0), all(0), all(0), all(0)};
      const int64_t end = std::min(numbers, (piece + 1) * kPiece);
      for (int64_t i = piece * kPiece; i < end; i += kLanes) {
        const __mmask16 lanes = first(std::min(kLanes, end - i));
        Vec weights = _mm512_maskz_loadu_ps(lanes, w + i);
        Vec gradients = _mm512_maskz_loadu_ps(lanes, g + i);
        Vec scale = _mm512_sqrt_ps(_mm512_maskz_loadu_ps(lanes, v + i));
        scale = _mm512_add_ps(scale, all(static_cast<float>(epsilon)));
        Vec way = _mm512_maskz_div_ps(lanes, _mm512_maskz_loadu_ps(lanes, m + i), scale);
        sums[0] = _mm512_fmadd_ps(weights, weights, sums[0]);
        sums[1] = _mm512_fmadd_ps(weights, way, sums[1]);
        sums[2] = _mm512_fmadd_ps(way, way, sums[2]);
        sums[3] = _mm512_fmadd_ps(gradients, gradients, sums[3]);
      }
      for (int64_t k = 0; k < 4; k++) found[4 * piece + k] = _mm512_reduce_add_ps(sums[k]);
    }
  });
  at::Tensor total = at::zeros({4}, at::kDouble);
  double* to = total.data_ptr<double>();
  for (int64_t i = 0; i < 4 * pieces; i++) to[i % 4] += found[i];
  return total;
}

}  // namespace lab
