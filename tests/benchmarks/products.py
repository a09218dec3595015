"""The matrix products of one training step by torch and nothing else.

Every product of the forward and of the backward pass at its exact shape, cut and laid out as the
step in torch cuts and lays it out, attention's included, in the step's own number format. All
layers use the same memory, so that it is in the cache more often than a step's: if anything too
fast a ceiling. It is one for torch's routines. Kernels of our own (lab.kernels) make the products
of the head and of attention faster than these, so a share of 100 % would not be the end.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from lab.model import LogitsRoom
from lab.model.blockwise import BLOCKS
from lab.model.loss import BLOCK_TOKENS
from lab.spec import CHUNK_TOKENS
from lab.v1.run_spec_pb2 import RunSpec

Product = Callable[[], object]


def products(spec: RunSpec, *, dtype: torch.dtype) -> Callable[[], float]:
    """Makes them all once per call; answers ln V, as an untrained model would."""
    torch.set_num_threads(spec.budget.threads)
    model, tokens = spec.model, spec.budget.batch * spec.model.context
    width, hidden = model.width, model.ffn_multiple * model.width
    head = list(_head(spec, tokens, dtype))
    block = [
        *_linear(tokens, width, 3 * width, dtype),
        *_attention(spec, dtype),
        *_linear(tokens, width, width, dtype),
        *_linear(tokens, width, hidden, dtype),
        *_linear(tokens, hidden, width, dtype),
    ]

    @torch.no_grad()
    def step() -> float:
        for _ in range(model.layers):
            for product in block:
                product()
        for product in head:
            product()
        return math.log(model.vocab_size)

    return step


def _linear(tokens: int, inner: int, outer: int, dtype: torch.dtype) -> Iterator[Product]:
    """y = x W^T, and what it takes backward: dx = dy W, dW = dy^T x."""
    x, y = _some(tokens, inner, dtype), _some(tokens, outer, dtype)
    weight, by_weight = _some(outer, inner, dtype), _some(outer, inner, dtype)
    dx, dy = torch.empty_like(x), _some(tokens, outer, dtype)
    yield partial(torch.mm, x, weight.t(), out=y)
    yield partial(torch.mm, dy, weight, out=dx)
    yield partial(torch.mm, dy.t(), x, out=by_weight)


def _head(spec: RunSpec, tokens: int, dtype: torch.dtype) -> Iterator[Product]:
    """As lab.model.loss cuts it: by tokens, and in bf16 the weight's gradient by the vocabulary."""
    width, vocabulary = spec.model.width, spec.model.vocab_size
    size = min(CHUNK_TOKENS, tokens)
    room = LogitsRoom(vocab_size=vocabulary, width=width, chunk_tokens=size, dtype=dtype)
    logits = room.rows[:, :vocabulary]  # (c, V)
    h, dh, weight = (_some(rows, width, dtype) for rows in (size, size, vocabulary))
    by_weight = torch.empty(vocabulary, width, dtype=dtype)
    blocks = BLOCK_TOKENS if dtype == torch.bfloat16 else vocabulary
    for _ in range(-(-tokens // size)):
        yield partial(torch.mm, h, weight.t(), out=logits)
        yield partial(torch.mm, logits, weight, out=dh)
        for first in range(0, vocabulary, blocks):
            part = slice(first, first + blocks)
            yield partial(torch.mm, logits[:, part].t(), h, out=by_weight[part])


def _attention(spec: RunSpec, dtype: torch.dtype) -> Iterator[Product]:
    """By blocks of queries, so that most of what the mask hides is left out."""
    model = spec.model
    groups, tokens, narrow = (
        spec.budget.batch * model.heads,
        model.context,
        model.width // model.heads,
    )
    exact = torch.promote_types(dtype, torch.float32)
    q, k, v, g = (_some(groups * tokens, narrow, dtype).view(groups, tokens, -1) for _ in range(4))
    exact_q, exact_k = q.to(exact), k.to(exact)
    size = tokens // BLOCKS
    for start in range(0, tokens, size):
        rows, seen = slice(start, start + size), slice(0, start + size)
        weights = _some(groups * size, seen.stop, dtype).view(groups, size, -1)
        turned, keys = weights.transpose(1, 2), exact_k[:, seen].transpose(1, 2)
        yield partial(torch.bmm, exact_q[:, rows], keys)
        yield partial(torch.bmm, weights, v[:, seen])
        yield partial(torch.bmm, g[:, rows], v[:, seen].transpose(1, 2))
        yield partial(torch.bmm, weights, k[:, seen])
        yield partial(torch.bmm, turned, q[:, rows])
        yield partial(torch.bmm, turned, g[:, rows])


def _some(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """Numbers of the size that a network has; zeros may be multiplied faster."""
    return torch.randn(rows, columns).mul_(0.02).to(dtype)
