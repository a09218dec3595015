// The output head and cross-entropy of a chunk of tokens: three matrix products and a softmax.
//
// lab/model/loss.py says what is computed, in torch; this computes the same in another order, so
// that the logits never leave the cache. Written out, those of 512 tokens are 51 MB, and torch moves
// them seven times: a product writes them, the softmax reads and writes them, two products read
// them, and the weight's gradient is rounded to bf16 and then added to the fp32 one.
//
// The vocabulary is cut into blocks of 128 rows. All arrays are the other way round, vocabulary
// first and tokens side by side, because then a row of the head's weight is used as it lies, and
// its gradient is added where it belongs by the product itself.
//
//   there, for each block of rows, with n tokens:                                       shapes
//     S  = W h^T                                 scores, fp32               (128, C) (C, n)
//     E  = e^(S - m)                             kept in bf16               (128, n)
//     s += sum of E, target left out             the softmax is E / s       (n)
//     D += W^T E                                 of the hidden states       (C, 128) (128, n)
//   and back, for each block, once s is known:
//     G += E (h scale / s)                       of the weight, fp32        (128, N) (N, C)
//
// The softmax wants the largest score of a token for m, which is known only at the end. But any m
// will do from which no score is further away than e^x can be held, 69 here, and the largest of the
// first block is one unless the network has gone wild. Then the answer is false, nothing has been
// added to G, and the caller goes the long way.
//
// The target's own share, p - 1, is the sum of all others, negative. Its E is 0 and its part is
// added in fp32: 1 - p keeps its digits where p is nearly 1.
//
// Threads share the tokens on the way there and the vocabulary on the way back. No sum is cut
// between them, so the bits do not depend on how many they are.

#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "tiles.h"

namespace lab {
namespace {

constexpr int64_t kRows = 128;   // of the vocabulary in a block
constexpr int64_t kBack = 64;    // of them on the way back
constexpr int64_t kTile = 32;    // tokens: a line of the cache in bf16
constexpr int64_t kGroup = 512;  // tokens that a thread takes at a time: scores of 256 KB
constexpr float kLargest = 1e30f;

// Rows of fp32 weights to bf16, once as they lie (rows, width) and once turned (width, kRows).
// `width` is a multiple of 16; what is left of 16 rows is zero in the turned one.
void weights_of_block(
    const float* weight, int64_t rows, int64_t width, BFloat16* lying, BFloat16* turned) {
  Vec square[kLanes];
  for (int64_t r = 0; r < rows; r += kLanes) {
    for (int64_t c = 0; c < width; c += kLanes) {
      for (int64_t i = 0; i < kLanes; i++) {
        square[i] = r + i < rows ? _mm512_loadu_ps(weight + (r + i) * width + c) : all(0);
        if (r + i < rows) store(lying + (r + i) * width + c, square[i]);
      }
      turn(square);
      for (int64_t j = 0; j < kLanes; j++) store(turned + (c + j) * kRows + r, square[j]);
    }
  }
}

// Scores (rows, n) to E: as it lies, for the way back, and in pairs of rows for the product.
void exponentials(const float* scores, int64_t rows, int64_t n, const float* offset, float* sums,
                  BFloat16* kept, int64_t kept_row, BFloat16* pairs) {
  alignas(64) float of_block[kGroup] = {};  // summed apart: short sums round less than long ones
  for (int64_t r = 0; r < rows; r += 2) {
    const bool both = r + 1 < rows;
    for (int64_t t = 0; t < n; t += kTile) {
      Vec e[2][2];  // two rows, two times 16 tokens
      for (int64_t half = 0; half < 2; half++) {
        const int64_t at = t + half * kLanes;
        const Vec less = _mm512_loadu_ps(offset + at);
        const float* score = scores + r * n + at;
        e[0][half] = exp2(_mm512_fmsub_ps(_mm512_loadu_ps(score), all(kLog2E), less));
        e[1][half] = both ? exp2(_mm512_fmsub_ps(_mm512_loadu_ps(score + n), all(kLog2E), less))
                          : all(0);
        Vec sum = _mm512_add_ps(e[0][half], e[1][half]);
        _mm512_store_ps(of_block + at, _mm512_add_ps(_mm512_load_ps(of_block + at), sum));
        if (kept)
          _mm512_storeu_si512(pairs + r * n + 2 * at, in_pairs(e[0][half], e[1][half]));
      }
      if (!kept) continue;
      _mm512_storeu_si512(kept + r * kept_row + t, to_bf16(e[0][0], e[0][1]));
      if (both) _mm512_storeu_si512(kept + (r + 1) * kept_row + t, to_bf16(e[1][0], e[1][1]));
    }
  }
  for (int64_t t = 0; t < n; t++) sums[t] += of_block[t];
}

struct Chunk {
  const BFloat16* hidden;   // (N, C)
  const float* weight;      // (V, C)
  const int64_t* targets;   // (N)
  float* losses;            // (N)
  BFloat16* by_hidden;      // (N, C), or null when no gradient is wanted
  BFloat16* kept;           // E (V, padded)
  BFloat16* shares;         // h scale / s in pairs of tokens (padded / 2, C, 2)
  float* of_target;         // scale (1 - p) of the target (N)
  int64_t tokens, padded, width, vocabulary;
  float scale;
};

// The way there for the tokens from `begin` on, n of them with those that only fill a tile up.
bool there(const Chunk& x, int64_t begin, int64_t n) {
  const int64_t C = x.width, real = std::min(n, x.tokens - begin);
  const bool gradients = x.by_hidden != nullptr;
  auto lying = room(kRows * C, at::kBFloat16), turned = room(C * kRows, at::kBFloat16);
  auto pairs = room(kRows * n, at::kBFloat16), states = room(C * n, at::kBFloat16);
  auto scores_room = room(kRows * n, at::kFloat), by_states_room = room(C * n, at::kFloat);
  float* scores = scores_room.data_ptr<float>();
  float* by_states = by_states_room.data_ptr<float>();
  std::vector<float> offset(n), others(n, 0.0f), wanted(n, 0.0f);
  columns_in_pairs({x.hidden + begin * C, C}, real, n, C, states.data_ptr<BFloat16>());

  for (int64_t v = 0; v < x.vocabulary; v += kRows) {
    const int64_t rows = std::min(kRows, x.vocabulary - v);
    weights_of_block(x.weight + v * C, rows, C, lying.data_ptr<BFloat16>(),
                     turned.data_ptr<BFloat16>());
    multiply(rows, n, C, {lying.const_data_ptr<BFloat16>(), C},
             {states.const_data_ptr<BFloat16>(), n}, scores, n, false);
    if (v == 0)
      for (int64_t t = 0; t < n; t++) {
        float largest = scores[t];
        for (int64_t r = 1; r < rows; r++) largest = std::max(largest, scores[r * n + t]);
        offset[t] = largest * kLog2E;
      }
    for (int64_t t = 0; t < real; t++) {
      const int64_t row = x.targets[begin + t] - v;
      if (row < 0 || row >= rows) continue;
      wanted[t] = scores[row * n + t];
      scores[row * n + t] = -std::numeric_limits<float>::infinity();
    }
    exponentials(scores, rows, n, offset.data(), others.data(),
                 gradients ? x.kept + v * x.padded + begin : nullptr, x.padded,
                 pairs.data_ptr<BFloat16>());
    if (gradients)  // an odd row at the very end meets a zero
      multiply(C, n, round_up(rows, 2), {turned.const_data_ptr<BFloat16>(), kRows},
               {pairs.const_data_ptr<BFloat16>(), n}, by_states, n, v > 0);
  }

  for (int64_t t = 0; t < n; t++) {
    const int64_t token = begin + t;
    float share = 0.0f;
    if (t < real) {
      const float own = std::exp2(wanted[t] * kLog2E - offset[t]), sum = others[t] + own;
      if (!(sum < kLargest) || !(own > 1 / kLargest)) return false;  // also when it is no number
      x.losses[token] = others[t] < own ? std::log1p(others[t] / own) : std::log(sum / own);
      if (!gradients) continue;
      share = x.scale / sum;
      x.of_target[token] = share * others[t];
      const float* target = x.weight + x.targets[token] * C;
      for (int64_t c = 0; c < C; c++)
        x.by_hidden[token * C + c] =
            by_states[c * n + t] * share - static_cast<float>(BFloat16(target[c])) * x.of_target[token];
    }
    if (!gradients) continue;
    BFloat16* out = x.shares + token / 2 * 2 * C + token % 2;
    for (int64_t c = 0; c < C; c++)
      out[2 * c] = t < real ? static_cast<float>(x.hidden[token * C + c]) * share : 0.0f;
  }
  return true;
}

}  // namespace

// One chunk of tokens. Sets the losses and the hidden states' gradient and adds to the weight's, which
// counts as zero when it is fresh;
// false, with no more than the first two written, when it has to be done the long way.
bool head_cross_entropy(
    const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
    const at::Tensor& losses, const std::optional<at::Tensor>& by_hidden,
    const std::optional<at::Tensor>& by_weight, const std::optional<at::Tensor>& kept,
    double scale, bool fresh) {
  const int64_t N = hidden.size(0), C = hidden.size(1), V = weight.size(0);
  const int64_t padded = round_up(N, kTile);
  const bool gradients = by_weight.has_value();
  TORCH_CHECK(C % kLanes == 0 && weight.size(1) == C, "the width must be a multiple of 16");
  TORCH_CHECK(hidden.is_contiguous() && weight.is_contiguous() && targets.is_contiguous());
  TORCH_CHECK(losses.is_contiguous() && losses.numel() == N && targets.numel() == N);
  TORCH_CHECK(!gradients || (by_weight->is_contiguous() && by_weight->sizes() == weight.sizes()));
  TORCH_CHECK(!gradients || (by_hidden->is_contiguous() && by_hidden->sizes() == hidden.sizes()));
  TORCH_CHECK(!gradients || (kept->is_contiguous() && kept->numel() >= V * padded));
  const int64_t* target = targets.const_data_ptr<int64_t>();
  for (int64_t t = 0; t < N; t++)
    TORCH_CHECK_INDEX(target[t] >= 0 && target[t] < V, "the target ", target[t], " is no token");

  auto shares = room(gradients ? padded * C : 0, at::kBFloat16);
  auto of_target = room(gradients ? N : 0, at::kFloat);
  const Chunk chunk{
      hidden.const_data_ptr<BFloat16>(),
      weight.const_data_ptr<float>(),
      target,
      losses.data_ptr<float>(),
      gradients ? by_hidden->data_ptr<BFloat16>() : nullptr,
      gradients ? kept->data_ptr<BFloat16>() : nullptr,
      shares.data_ptr<BFloat16>(),
      of_target.data_ptr<float>(),
      N, padded, C, V, static_cast<float>(scale)};

  const int64_t threads = at::get_num_threads();
  const int64_t group = std::min(kGroup, round_up((padded + threads - 1) / threads, kTile));
  std::atomic<bool> well{true};
  at::parallel_for(0, (padded + group - 1) / group, 1, [&](int64_t from, int64_t to) {
    for (int64_t g = from; g < to; g++)
      if (!there(chunk, g * group, std::min(group, padded - g * group))) well = false;
    done_multiplying();
  });
  if (!well) return false;
  if (!gradients) return true;

  float* G = by_weight->data_ptr<float>();
  at::parallel_for(0, (V + kBack - 1) / kBack, 1, [&](int64_t from, int64_t to) {
    for (int64_t v = from * kBack; v < std::min(V, to * kBack); v += kBack)
      multiply(std::min(kBack, V - v), C, padded, {chunk.kept + v * padded, padded},
               {chunk.shares, C}, G + v * C, C, !fresh);
    done_multiplying();
  });
  for (int64_t t = 0; t < N; t++)
    for (int64_t c = 0; c < C; c++)
      G[target[t] * C + c] -= chunk.of_target[t] * static_cast<float>(chunk.hidden[t * C + c]);
  return true;
}

}  // namespace lab
