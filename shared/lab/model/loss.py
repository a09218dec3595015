"""The output head and the loss in one: cross-entropy without ever holding all the logits.

Book: the loss is section 5.1. There the logits (N, V) of a whole batch are made first, then their
softmax, then the gradient: for 2,048 tokens of nano three arrays of 103 million numbers each, in
memory fresh from the system, and far more work to move than to compute.

Here N is cut into chunks, and each chunk goes all the way to its gradients before the next begins,
in the same piece of memory. That can be done in the forward pass because the gradient of
cross-entropy is known as soon as the softmax p is: p, less 1 at the target. The backward pass only
hands out what is there already.

What `_torch_chunk` does in torch, `lab.kernels` does in C++ where it can, without writing the
logits to memory at all (lab/kernels/head.h).
"""

import copy
import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lab import kernels

_LINE_BYTES = 64  # of a processor's cache; bf16 rows that begin elsewhere take half as long again
BLOCK_TOKENS = 8192  # ids whose bf16 gradient is added to the fp32 one while still in the cache
_KERNEL_TOKENS, _KERNEL_WIDTH = 32, 16  # lab/kernels/head.h works in multiples of these


class LogitsRoom:
    """Memory for the logits of one chunk and what goes with them, kept from step to step.

    How the tokens are cut decides the order of additions, and so the last bits of the result.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        width: int,
        chunk_tokens: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.chunk_tokens = chunk_tokens
        self.vocab_size = vocab_size
        half = dtype == torch.bfloat16
        line = _LINE_BYTES // dtype.itemsize if half else 1
        row = -(-vocab_size // line) * line
        tokens = -(-chunk_tokens // _KERNEL_TOKENS) * _KERNEL_TOKENS if half else chunk_tokens
        self.rows = torch.empty(tokens, row, dtype=dtype, device=device)  # (>= c, >= V)
        self.operations: Any = None
        if half and self.rows.device.type == "cpu" and width % _KERNEL_WIDTH == 0:
            self.operations = kernels.tiled_operations()
        self._weight: Tensor | None = None  # in the type of the logits, once it is needed

    def in_fp32(self) -> "LogitsRoom":
        """The same memory for logits in fp32, as many as fit: for who looks between two steps.

        Memory fresh from the system would take several times what is done in it.
        """
        if self.rows.dtype == torch.float32:
            return self
        twin = copy.copy(self)
        numbers = self.rows.view(-1).view(torch.float32)
        twin.chunk_tokens = len(numbers) // self.vocab_size
        twin.rows = numbers[: twin.chunk_tokens * self.vocab_size].view(-1, self.vocab_size)
        twin.operations, twin._weight = None, None
        return twin

    def multiplied(self, weight: Tensor) -> Tensor:
        """The weight in the type of the logits."""
        if weight.dtype == self.rows.dtype:
            return weight
        if self._weight is None:
            self._weight = torch.empty_like(weight, dtype=self.rows.dtype)
        return self._weight.copy_(weight)


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    room: LogitsRoom,
    scale: float = 1.0,
    gradient: Tensor | None = None,
    fresh: bool = False,
) -> tuple[Tensor, Tensor]:
    """The summed loss times `scale`, and each token's loss in nats (N), which has no gradient.

    hidden (N, C) says by its type in which one to multiply; weight (V, C); targets (N). With
    `gradient`, usually weight.grad, the weight's gradient is added there at once instead of being
    handed to autograd, which saves two passes over it. Then `backward` must be called on this very
    result, once: a factor that came later would be missing. What is in a `fresh` one counts as
    zero.
    """
    loss, losses = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, weight, targets, room, scale, gradient, fresh
    )
    return loss, losses


@torch.no_grad()
def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor, *, room: LogitsRoom) -> Tensor:
    """Each token's loss in nats, (N), where no gradient is wanted."""
    return _chunks(hidden, weight, targets, room, scale=1.0, gradients=None)


class _LinearCrossEntropy(torch.autograd.Function):
    """Everything happens in `forward`."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        room: LogitsRoom,
        scale: float,
        gradient: Tensor | None,
        fresh: bool,
    ) -> tuple[Tensor, Tensor]:
        hidden_gradient = torch.empty_like(hidden)
        kept = torch.empty_like(weight) if gradient is None else gradient
        fresh = fresh or gradient is None
        losses = _chunks(
            hidden,
            weight,
            targets,
            room,
            scale=scale,
            gradients=(hidden_gradient, kept),
            fresh=fresh,
        )
        ctx.save_for_backward(hidden_gradient, kept if gradient is None else None)
        ctx.mark_non_differentiable(losses)
        return losses.sum() * scale, losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        hidden_gradient, weight_gradient = ctx.saved_tensors
        by_weight = None if weight_gradient is None else weight_gradient * factor
        by_hidden = hidden_gradient * factor.to(hidden_gradient.dtype)
        return by_hidden, by_weight, None, None, None, None, None


def _chunks(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    room: LogitsRoom,
    *,
    scale: float,
    gradients: tuple[Tensor, Tensor] | None,
    fresh: bool = False,
) -> Tensor:
    """Each token's loss (N). The hidden states' gradients are set, the weight's is added to."""
    if hidden.dtype != room.rows.dtype:
        raise ValueError(f"the room is for {room.rows.dtype}, the states are {hidden.dtype}")
    exact = torch.promote_types(hidden.dtype, torch.float32)
    losses = torch.empty(len(targets), dtype=exact, device=hidden.device)
    multiplied: Tensor | None = None
    for start in range(0, len(targets), room.chunk_tokens):
        part = slice(start, min(start + room.chunk_tokens, len(targets)))
        h, target, loss = hidden[part], targets[part], losses[part]  # (c, C), (c,), (c,)
        by = (gradients[0][part], gradients[1]) if gradients else None
        if room.operations is not None and room.operations.head_cross_entropy(
            h, weight, target, loss, *(by or (None, None)), room.rows if by else None, scale, fresh
        ):
            fresh = False
            continue
        if by and fresh:
            by[1].zero_()
            fresh = False
        if multiplied is None:
            multiplied = room.multiplied(weight)  # (V, C)
        _torch_chunk(h, multiplied, target, loss, room, scale=scale, gradients=by)
    return losses


def _torch_chunk(
    h: Tensor,
    weight: Tensor,
    target: Tensor,
    losses: Tensor,
    room: LogitsRoom,
    *,
    scale: float,
    gradients: tuple[Tensor, Tensor] | None,
) -> None:
    """One chunk: its losses and the gradient of its hidden states set, the weight's added to."""
    rows = room.rows[: len(h)]
    logits = rows[:, : room.vocab_size]  # (c, V)
    torch.mm(h, weight.t(), out=logits)
    rows[:, room.vocab_size :] = float("-inf")
    torch.softmax(rows, dim=1, out=rows)  # in place; the columns that fill a row up become 0
    losses.copy_(_take_target(rows, target, losses.dtype, may_ask=rows.device.type == "cpu"))
    _mend(losses, h, weight, target)
    if gradients is None:
        return
    hidden_gradient, weight_gradient = gradients
    torch.mm(logits, weight, out=hidden_gradient).mul_(scale)  # (c, V) @ (V, C)
    if logits.dtype == weight_gradient.dtype:
        weight_gradient.addmm_(logits.t(), h, alpha=scale)  # (V, c) @ (c, C)
        return
    for first in range(0, room.vocab_size, BLOCK_TOKENS):
        block = slice(first, first + BLOCK_TOKENS)
        weight_gradient[block].add_(logits[:, block].t() @ h, alpha=scale)


def _take_target(rows: Tensor, target: Tensor, exact: torch.dtype, *, may_ask: bool) -> Tensor:
    """Makes p - onehot of p, in place, and answers -log p of the target.

    bf16 has 8 bits for a number: near 1 it steps by 0.004, too coarse for 1 - p of a token the
    model is sure of. There 1 - p is taken as the sum of all others, which bf16 holds to 8 bits of
    its own size. Which tokens these are may not be asked of a device that works ahead of us, since
    the answer would halt it: there all are summed.
    """
    token = torch.arange(len(target), device=target.device)
    p = rows[token, target].to(exact)  # (c,)
    losses = -p.clamp_min(_tiny(exact)).log()
    rest = 1 - p
    if rows.dtype != exact and not may_ask:
        rows[token, target] = 0.0
        others = rows.sum(dim=1, dtype=exact)
        losses = torch.where(p > 0.5, -(-others).log1p(), losses)
        rest = torch.where(p > 0.5, others, rest)
    elif rows.dtype != exact:
        sure = (p > 0.5).nonzero().squeeze(1)  # few, as a rule
        others = rows[sure]
        others[token[: len(sure)], target[sure]] = 0.0
        rest[sure] = others.sum(dim=1).to(exact)
        losses[sure] = -(-rest[sure]).log1p()
    rows[token, target] = -rest.to(rows.dtype)
    return losses


def _mend(losses: Tensor, h: Tensor, weight: Tensor, target: Tensor) -> None:
    """A target thought rarer than e^-87 has a p that no float holds: its loss the long way.

    Only runs that fall apart have such tokens. Elsewhere than on a processor the question alone
    would halt the device, so there the loss of a token ends at 87.
    """
    if losses.device.type != "cpu":
        return
    lost = losses >= -math.log(_tiny(losses.dtype)) - 1e-3
    if lost.any():
        logits = h[lost].to(losses.dtype) @ weight.to(losses.dtype).t()
        wanted = logits.gather(1, target[lost].unsqueeze(1)).squeeze(1)
        losses[lost] = logits.logsumexp(dim=1) - wanted


def _tiny(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).tiny
