"""How fast a step could be if it were nothing but its matrix products.

Nearly all arithmetic of a step is matrix products, and a machine multiplies no faster than it does:
that is the ceiling, and a step's share of it says how much of the time is lost to everything else.
It is measured, not looked up, because what a processor reaches depends on the shapes, the number
format, the threads and the neighbours.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.v1.run_spec_pb2 import ModelSpec
from services.trainer.worker.training import Training

BUDGET_SECS = 0.25
REPEATS = 2  # after one that is not counted; the fastest counts
# Of each product a processor is timed on so many rows and columns at most: it works in blocks far
# smaller than these, and a larger product is no faster for its size. A GPU needs the whole.
MOST_ROWS, MOST_COLUMNS = 512, 4_096


def flops_per_token(model: ModelSpec) -> int:
    """Floating-point operations of training on one token: 6 N + 12 L d T.

    N counts the parameters of matrix products, 12 L d^2 + V d with a feed-forward of 4 d: each is
    used in one multiplication and one addition forward and twice as many backward. Attention adds
    2 products of T x d a layer forward. It is counted in full, although a causal kernel may leave
    out the half that is masked (the convention of PaLM, arXiv 2204.02311).
    """
    width, layers = model.width, model.layers
    block = 4 * width * width + 2 * model.ffn_multiple * width * width
    products = layers * block + model.vocab_size * width
    return 6 * products + 12 * layers * width * model.context


@dataclass(frozen=True)
class _Product:
    """(rows, inner) @ (inner, columns), `count` times in a step and perhaps in a batch of them."""

    rows: int
    inner: int
    columns: int
    count: float = 1.0
    batch: int = 1

    @property
    def flops(self) -> float:
        return 2.0 * self.rows * self.inner * self.columns * self.batch


def measure_ceiling(training: Training) -> float:
    """Operations per second over the products of a step, each weighted by how many it has.

    Takes a fraction of a second. Products that the time does not suffice for are left out.
    """
    began = time.perf_counter()
    flops = secs = 0.0
    for product in _products(training):
        if time.perf_counter() - began > BUDGET_SECS:
            break
        best = _fastest(product, training)
        flops += product.count * product.flops
        secs += product.count * best
    return flops / secs


def _products(training: Training) -> Iterator[_Product]:
    """The largest share of the work first: the head, then a block, then its attention."""
    model, budget = training.spec.model, training.spec.budget
    width, wide = model.width, model.ffn_multiple * model.width
    tokens = budget.micro_batch * model.context
    rows, columns, chunk = tokens, model.vocab_size, training.room.chunk_tokens
    if training.device.type == "cpu":
        rows, columns, chunk = (
            min(rows, MOST_ROWS),
            min(columns, MOST_COLUMNS),
            min(chunk, MOST_ROWS),
        )
    pieces = tokens / chunk * model.vocab_size / columns
    yield from _with_gradients(chunk, width, columns, count=pieces)
    for inner, outer in [(width, wide), (wide, width), (width, 3 * width), (width, width)]:
        yield from _with_gradients(rows, inner, outer, count=model.layers * tokens / rows)
    heads = budget.micro_batch * model.heads
    context, narrow = model.context, width // model.heads
    # Queries by keys and weights by values, each with two gradients of the same size.
    yield _Product(context, narrow, context, count=3 * model.layers, batch=heads)
    yield _Product(context, context, narrow, count=3 * model.layers, batch=heads)


def _with_gradients(tokens: int, inner: int, outer: int, *, count: float) -> Iterator[_Product]:
    """y = x W, and what it takes backward: dx = dy W^T and dW = x^T dy."""
    yield _Product(tokens, inner, outer, count)
    yield _Product(tokens, outer, inner, count)
    yield _Product(inner, tokens, outer, count)


@torch.no_grad()
def _fastest(product: _Product, training: Training) -> float:
    """Seconds of one, and the least of a few."""
    left = _filled(training, product.batch, product.rows, product.inner)
    right = _filled(training, product.batch, product.columns, product.inner).transpose(1, 2)
    out = _filled(training, product.batch, product.rows, product.columns)
    times = []
    for _ in range(1 + REPEATS):
        began = time.perf_counter()
        torch.bmm(left, right, out=out) if product.batch > 1 else torch.mm(
            left[0], right[0], out=out[0]
        )
        if training.device.type == "cuda":
            torch.cuda.synchronize(training.device)
        times.append(time.perf_counter() - began)
    return min(times[1:])


def _filled(training: Training, *shape: int) -> Tensor:
    """Ones: zeros may be multiplied faster than what a step has."""
    return torch.ones(shape, dtype=training.dtype, device=training.device)
