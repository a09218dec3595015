// What Python finds in torch.ops.lab. One file, so that torch's own headers are read once.

#include <torch/library.h>

#include "head.h"

TORCH_LIBRARY(lab, library) {
  library.def(
      "head_cross_entropy(Tensor hidden, Tensor weight, Tensor targets, Tensor(a!) losses, "
      "Tensor(b!)? by_hidden, Tensor(c!)? by_weight, Tensor(d!)? kept, float scale) -> bool",
      lab::head_cross_entropy);
  library.def("multiplies_in_tiles() -> bool", lab::multiplies_in_tiles);
}
