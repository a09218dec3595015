// What Python finds in torch.ops.lab. One file, so that torch's own headers are read once.

#include <torch/library.h>

#include "attention.h"
#include "decode.h"
#include "gelu.h"
#include "gradients.h"
#include "head.h"
#include "health.h"
#include "likeliest.h"

TORCH_LIBRARY(lab, library) {
  library.def("multiplies_in_tiles() -> bool", lab::multiplies_in_tiles);
  library.def(
      "head_cross_entropy(Tensor hidden, Tensor weight, Tensor targets, Tensor(a!) losses, "
      "Tensor(b!)? by_hidden, Tensor(c!)? by_weight, Tensor(d!)? kept, float scale, bool fresh) "
      "-> bool",
      lab::head_cross_entropy);
  library.def("attention_forward(Tensor qkv, int heads) -> (Tensor, Tensor)", lab::attention_forward);
  library.def(
      "attention_backward(Tensor by_joined, Tensor qkv, Tensor joined, Tensor norms, int heads) "
      "-> Tensor",
      lab::attention_backward);
  library.def(
      "add_to_gradient(Tensor(a!) gradient, Tensor found, bool fresh) -> ()",
      lab::add_to_gradient);
  library.def(
      "add_sum_to_gradient(Tensor(a!) gradient, Tensor found, bool fresh) -> ()",
      lab::add_sum_to_gradient);
  library.def(
      "health_sums(Tensor weight, Tensor gradient, Tensor mean, Tensor square, float epsilon) "
      "-> Tensor",
      lab::health_sums);
  library.def("gelu_forward(Tensor x) -> Tensor", lab::gelu_forward);
  library.def("gelu_backward(Tensor by_y, Tensor x) -> Tensor", lab::gelu_backward);
  library.def(
      "decode(int[] ids, int[] counts, int[] seen, Tensor[] rooms, Tensor tokens, Tensor places, "
      "Tensor matrices, Tensor vectors, int heads, int wide) -> Tensor",
      lab::writing::decode);
  library.def(
      "likeliest(Tensor hidden, Tensor narrow, Tensor scales, Tensor slacks, Tensor weight, "
      "int[] wanted, int listed) -> (Tensor[], Tensor[], Tensor)",
      lab::writing::likeliest);
}
