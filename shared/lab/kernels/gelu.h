// GELU in its tanh form, forward and backward, on bf16.
//
// x/2 (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3) is x sigmoid(2 u): one e^x instead of a
// tanh. Backward it is made once more from x, which the layer before keeps anyway.

#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>

#include "vectors.h"

namespace lab {

constexpr float kSlope = 2 * 0.7978845608028654f, kCubic = 0.044715f;

inline Vec gelu(Vec x) {
  Vec square = _mm512_mul_ps(x, x);
  Vec twice = _mm512_mul_ps(x, _mm512_fmadd_ps(square, all(kSlope * kCubic), all(kSlope)));
  return _mm512_mul_ps(x, sigmoid(twice));
}

// s + x s (1 - s) (2 u)', where s is the sigmoid above.
inline Vec gelu_slope(Vec x) {
  Vec square = _mm512_mul_ps(x, x);
  Vec twice = _mm512_mul_ps(x, _mm512_fmadd_ps(square, all(kSlope * kCubic), all(kSlope)));
  Vec s = sigmoid(twice);
  Vec steep = _mm512_fmadd_ps(square, all(3 * kSlope * kCubic), all(kSlope));
  Vec bend = _mm512_mul_ps(_mm512_fnmadd_ps(s, s, s), _mm512_mul_ps(x, steep));
  return _mm512_add_ps(s, bend);
}

inline at::Tensor gelu_forward(const at::Tensor& x) {
  TORCH_CHECK(x.is_contiguous());
  at::Tensor y = at::empty_like(x);
  const BFloat16* from = x.const_data_ptr<BFloat16>();
  BFloat16* to = y.data_ptr<BFloat16>();
  for_each_vec(x.numel(), [=](int64_t i, __mmask16 lanes) {
    store(to + i, gelu(load(from + i, lanes)), lanes);
  });
  return y;
}

inline at::Tensor gelu_backward(const at::Tensor& by_y, const at::Tensor& x) {
  TORCH_CHECK(x.is_contiguous() && by_y.is_contiguous() && by_y.sizes() == x.sizes());
  at::Tensor by_x = at::empty_like(x);
  const BFloat16 *from = x.const_data_ptr<BFloat16>(), *by = by_y.const_data_ptr<BFloat16>();
  BFloat16* to = by_x.data_ptr<BFloat16>();
  for_each_vec(x.numel(), [=](int64_t i, __mmask16 lanes) {
    store(to + i, _mm512_mul_ps(load(by + i, lanes), gelu_slope(load(from + i, lanes))), lanes);
  });
  return by_x;
}

}  // namespace lab
