// Causal attention, forward and backward, a head and a block of 64 queries at a time.
//
// lab/model/blockwise.py says what is computed. The scores of a block are made in fp32 from bf16,
// become weights while they are in the cache, and are never written to memory: backward they are
// made again from what the forward pass keeps, one number for each query (Dao et al., FlashAttention,
// arXiv 2205.14135). Queries, keys and values are read where the layer before has put them, and the
// joined heads are written where the next one wants them.
//
// Shapes: B sequences, T tokens, H heads of D numbers; R queries in a block, S keys that they see.
//
//   forward:   E = e^(Q K^T / sqrt(D) - m)    (R, D) (D, S)    m the largest score of each query
//              O = E V / sum(E)               (R, S) (S, D)
//   backward:  P = E / sum(E), G = gradient of O, delta = sum of G O, both of a query
//              dS = P (G V^T - delta) / sqrt(D)
//              dQ = dS K,  dK^T += Q^T dS,  dV^T += G^T P
//
// One thread does the whole of a head, so the bits do not depend on how many there are.

#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "tiles.h"

namespace lab {
namespace {

constexpr int64_t kQueries = 64;
constexpr int64_t kKeys = 32;  // the keys are filled up to a multiple of these

struct Heads {
  int64_t B, T, H, D, C, padded;
  float scale;  // 1 / sqrt(D) log2(e): e^x is made as 2^x

  Heads(const at::Tensor& qkv, int64_t heads)
      : B(qkv.size(0)), T(qkv.size(1)), H(heads), D(qkv.size(2) / 3 / heads), C(heads * D),
        padded(round_up(T, kKeys)), scale(kLog2E / std::sqrt(static_cast<float>(D))) {
    TORCH_CHECK(qkv.is_contiguous() && D % 32 == 0 && qkv.size(2) == 3 * C);
  }
  // Where query, key or value (`which`) of a head begins in (B, T, 3 C).
  int64_t of_qkv(int64_t g, int64_t which) const {
    return g / H * T * 3 * C + which * C + g % H * D;
  }
  int64_t of_joined(int64_t g) const { return g / H * T * C + g % H * D; }
};

// How many of the 16 keys from `key` on a query sees.
inline __mmask16 seen(int64_t query, int64_t key) {
  return first(std::clamp<int64_t>(query + 1 - key, 0, kLanes));
}

// Scores of a query to E; answers log2 of what each is to be divided by, m included.
float to_weights(const float* scores, int64_t query, int64_t keys, float scale, BFloat16* weights,
                 float* sum) {
  Vec largest = all(-std::numeric_limits<float>::infinity());
  for (int64_t k = 0; k <= query; k += kLanes)
    largest = _mm512_mask_max_ps(largest, seen(query, k), largest, _mm512_loadu_ps(scores + k));
  const float m = _mm512_reduce_max_ps(largest) * scale;
  Vec total = all(0);
  for (int64_t k = 0; k < keys; k += kLanes) {
    Vec e = all(0);
    if (k <= query) {
      e = exp2(_mm512_fmsub_ps(_mm512_loadu_ps(scores + k), all(scale), all(m)));
      e = _mm512_maskz_mov_ps(seen(query, k), e);
      total = _mm512_add_ps(total, e);
    }
    store(weights + k, e);
  }
  *sum = _mm512_reduce_add_ps(total);
  return m + std::log2(*sum);
}

void scaled(const float* from, float by, int64_t numbers, BFloat16* to) {
  for (int64_t i = 0; i < numbers; i += kLanes)
    store(to + i, _mm512_mul_ps(_mm512_loadu_ps(from + i), all(by)));
}

void head_forward(const Heads& x, const BFloat16* qkv, int64_t g, BFloat16* joined, float* norms) {
  const int64_t row = 3 * x.C;
  const Matrix q{qkv + x.of_qkv(g, 0), row}, k{qkv + x.of_qkv(g, 1), row},
      v{qkv + x.of_qkv(g, 2), row};
  auto keys_room = room(x.padded * x.D, at::kBFloat16), values_room = room(x.padded * x.D, at::kBFloat16);
  auto weights_room = room(kQueries * x.padded, at::kBFloat16);
  auto scores_room = room(kQueries * x.padded, at::kFloat), out_room = room(kQueries * x.D, at::kFloat);
  BFloat16 *keys = keys_room.data_ptr<BFloat16>(), *values = values_room.data_ptr<BFloat16>(),
           *weights = weights_room.data_ptr<BFloat16>();
  float *scores = scores_room.data_ptr<float>(), *out = out_room.data_ptr<float>();
  columns_in_pairs(k, x.T, x.padded, x.D, keys);
  rows_in_pairs(v, x.T, x.padded, x.D, values);
  for (int64_t from = 0; from < x.T; from += kQueries) {
    const int64_t R = std::min(kQueries, x.T - from), S = round_up(from + R, kKeys);
    multiply(R, S, x.D, {q.numbers + from * row, row}, {keys, x.padded}, scores, S, false);
    float sums[kQueries];
    for (int64_t r = 0; r < R; r++)
      norms[g * x.T + from + r] =
          to_weights(scores + r * S, from + r, S, x.scale, weights + r * S, sums + r);
    multiply(R, x.D, S, {weights, S}, {values, x.D}, out, x.D, false);
    for (int64_t r = 0; r < R; r++)
      scaled(out + r * x.D, 1 / sums[r], x.D, joined + x.of_joined(g) + (from + r) * x.C);
  }
}

// dK^T or dV^T (D, padded) to where the gradient of qkv has it.
void turn_back(const Heads& x, const float* from, BFloat16* to) {
  for (int64_t t = 0; t < x.T; t += kLanes)
    for (int64_t d = 0; d < x.D; d += kLanes) {
      Vec square[kLanes];
      for (int64_t i = 0; i < kLanes; i++)
        square[i] = _mm512_loadu_ps(from + (d + i) * x.padded + t);
      turn(square);
      for (int64_t i = 0; i < std::min(kLanes, x.T - t); i++)
        store(to + (t + i) * 3 * x.C + d, square[i]);
    }
}

void head_backward(const Heads& x, const BFloat16* qkv, const BFloat16* joined,
                   const BFloat16* by_joined, const float* norms, int64_t g, BFloat16* by_qkv) {
  const int64_t row = 3 * x.C, numbers = x.padded * x.D;
  const Matrix q{qkv + x.of_qkv(g, 0), row}, k{qkv + x.of_qkv(g, 1), row},
      v{qkv + x.of_qkv(g, 2), row}, G{by_joined + x.of_joined(g), x.C};
  const BFloat16* out = joined + x.of_joined(g);
  auto half = room(5 * numbers + 3 * kQueries * x.padded, at::kBFloat16);
  auto full = room(2 * numbers + 2 * kQueries * x.padded + kQueries * x.D, at::kFloat);
  BFloat16* keys = half.data_ptr<BFloat16>();  // K^T in pairs
  BFloat16 *values = keys + numbers, *key_rows = values + numbers;  // V^T and K in pairs
  BFloat16 *q_turned = key_rows + numbers, *g_turned = q_turned + numbers;
  BFloat16 *by_scores = g_turned + numbers, *pairs = by_scores + kQueries * x.padded,
           *weights = pairs + kQueries * x.padded;
  float *by_k = full.data_ptr<float>(), *by_v = by_k + numbers, *scores = by_v + numbers,
        *by_weights = scores + kQueries * x.padded, *by_q = by_weights + kQueries * x.padded;
  columns_in_pairs(k, x.T, x.padded, x.D, keys);
  columns_in_pairs(v, x.T, x.padded, x.D, values);
  rows_in_pairs(k, x.T, x.padded, x.D, key_rows);
  turned(q, x.T, x.padded, x.D, q_turned);
  turned(G, x.T, x.padded, x.D, g_turned);
  std::fill(by_k, by_k + 2 * numbers, 0.0f);
  const float scale = x.scale / kLog2E;

  for (int64_t from = 0; from < x.T; from += kQueries) {
    const int64_t R = std::min(kQueries, x.T - from), S = round_up(from + R, kKeys);
    multiply(R, S, x.D, {q.numbers + from * row, row}, {keys, x.padded}, scores, S, false);
    multiply(R, S, x.D, {G.numbers + from * x.C, x.C}, {values, x.padded}, by_weights, S, false);
    for (int64_t r = 0; r < R; r += 2) {
      float norm[2] = {0, 0}, delta[2] = {0, 0};
      for (int64_t i = 0; i < std::min<int64_t>(2, R - r); i++) {
        norm[i] = norms[g * x.T + from + r + i];
        Vec sum = all(0);
        for (int64_t d = 0; d < x.D; d += kLanes) {
          const int64_t at = (from + r + i) * x.C + d;
          sum = _mm512_fmadd_ps(load(G.numbers + at), load(out + at), sum);
        }
        delta[i] = _mm512_reduce_add_ps(sum);
      }
      for (int64_t s = 0; s < S; s += kLanes) {
        Vec p[2] = {all(0), all(0)}, by[2] = {all(0), all(0)};
        for (int64_t i = 0; i < 2; i++) {
          const int64_t query = from + r + i;
          if (s > query || r + i >= R) continue;
          const int64_t at = (r + i) * S + s;
          p[i] = exp2(_mm512_fmsub_ps(_mm512_loadu_ps(scores + at), all(x.scale), all(norm[i])));
          p[i] = _mm512_maskz_mov_ps(seen(query, s), p[i]);
          Vec less = _mm512_sub_ps(_mm512_loadu_ps(by_weights + at), all(delta[i]));
          by[i] = _mm512_maskz_mul_ps(seen(query, s), p[i], _mm512_mul_ps(less, all(scale)));
        }
        store(by_scores + r * S + s, by[0]);
        store(by_scores + (r + 1) * S + s, by[1]);
        _mm512_storeu_si512(pairs + r * S + 2 * s, in_pairs(by[0], by[1]));
        _mm512_storeu_si512(weights + r * S + 2 * s, in_pairs(p[0], p[1]));
      }
    }
    const int64_t even = round_up(R, 2);  // a query that only fills a pair up has zeros everywhere
    multiply(R, x.D, S, {by_scores, S}, {key_rows, x.D}, by_q, x.D, false);
    multiply(x.D, S, even, {q_turned + from, x.padded}, {pairs, S}, by_k, x.padded, true);
    multiply(x.D, S, even, {g_turned + from, x.padded}, {weights, S}, by_v, x.padded, true);
    for (int64_t r = 0; r < R; r++)
      scaled(by_q + r * x.D, 1.0f, x.D, by_qkv + x.of_qkv(g, 0) + (from + r) * row);
  }
  turn_back(x, by_k, by_qkv + x.of_qkv(g, 1));
  turn_back(x, by_v, by_qkv + x.of_qkv(g, 2));
}

}  // namespace

// Queries, keys and values side by side (B, T, 3 C) in; the joined heads (B, T, C) out, and of each
// query log2 of the sum of its e^score, (B, H, T).
std::tuple<at::Tensor, at::Tensor> attention_forward(const at::Tensor& qkv, int64_t heads) {
  const Heads x(qkv, heads);
  at::Tensor joined = at::empty({x.B, x.T, x.C}, qkv.options());
  at::Tensor norms = at::empty({x.B, x.H, x.T}, qkv.options().dtype(at::kFloat));
  const BFloat16* from = qkv.const_data_ptr<BFloat16>();
  BFloat16* to = joined.data_ptr<BFloat16>();
  float* norm = norms.data_ptr<float>();
  at::parallel_for(0, x.B * x.H, 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; g++) head_forward(x, from, g, to, norm);
    done_multiplying();
  });
  return {joined, norms};
}

at::Tensor attention_backward(const at::Tensor& by_joined, const at::Tensor& qkv,
                              const at::Tensor& joined, const at::Tensor& norms, int64_t heads) {
  const Heads x(qkv, heads);
  TORCH_CHECK(by_joined.is_contiguous() && joined.is_contiguous() && norms.is_contiguous());
  TORCH_CHECK(by_joined.sizes() == joined.sizes() && joined.numel() == x.B * x.T * x.C);
  TORCH_CHECK(norms.numel() == x.B * x.H * x.T);
  at::Tensor by_qkv = at::empty(qkv.sizes(), qkv.options());
  const BFloat16 *from = qkv.const_data_ptr<BFloat16>(), *out = joined.const_data_ptr<BFloat16>(),
                 *by = by_joined.const_data_ptr<BFloat16>();
  const float* norm = norms.const_data_ptr<float>();
  BFloat16* to = by_qkv.data_ptr<BFloat16>();
  at::parallel_for(0, x.B * x.H, 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; g++) head_backward(x, from, out, by, norm, g, to);
    done_multiplying();
  });
  return by_qkv;
}

}  // namespace lab
