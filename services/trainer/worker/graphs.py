"""A micro-batch as a CUDA graph: all kernels of its forward and backward pass, started at once.

Starting a kernel costs a processor some microseconds. A nano model has hundreds of them in each
pass, most of which a GPU finishes faster than that: it would mostly wait. Recorded once, they are
started together, in the same memory every time, and the same numbers come out.
"""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP_PASSES = 3  # libraries allocate and choose kernels on first use, which no graph may hold

AddGradients = Callable[[Tensor, Tensor], Tensor]


class GraphedPass:
    """`add_gradients` for inputs and targets of one shape; call it with others of that shape."""

    def __init__(self, add_gradients: AddGradients, gradients: Tensor, like: Tensor) -> None:
        """`gradients` is what a pass adds to; it is left as it was."""
        self._inputs, self._targets = torch.zeros_like(like), torch.zeros_like(like)
        before = gradients.clone()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP_PASSES):
                add_gradients(self._inputs, self._targets)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._losses = add_gradients(self._inputs, self._targets)
        gradients.copy_(before)

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        self._inputs.copy_(inputs, non_blocking=True)
        self._targets.copy_(targets, non_blocking=True)
        self._graph.replay()
        return self._losses.clone()  # the next replay writes there again
