"""How every tensor and every layer is doing, in a few numbers each.

Per tensor: how large its weights are, its gradient, and what the last update changed it by, each as
a root mean square. The update as a share of the weights is the number to watch: near 0.001 a tensor
learns, far below it hardly moves, far above it is being torn about.

Per layer: whether its attention still looks at several tokens, how large its largest score is (too
large, and softmax picks one token for ever), how large the residual stream has grown, and how many
units of the feed-forward do nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lab import kernels
from lab.v1.recording_pb2 import HealthMeasured
from services.trainer.worker.step import StepResult
from services.trainer.worker.training import Training

# Numbers that are worked on at once: on a processor, what is made of them stays in its cache.
CHUNK, CHUNK_ON_DEVICE = 1 << 16, 1 << 24
# Tokens of the step's batch whose way through the layers is looked at.
TOKENS = 256
DEAD_BELOW = 0.01
_HIDDEN = -1e30  # the score of a token that may not be seen


@torch.no_grad()
def measure_health(training: Training, result: StepResult) -> HealthMeasured:
    """Of the step just made. Changes nothing, and reads nothing that the next step will change."""
    measured = HealthMeasured(step=training.step)
    names, tensors = _of_tensors(training, result)
    measured.tensors.extend(names)
    for row, field in zip(
        tensors, (measured.weight_rms, measured.gradient_rms, measured.update_rms), strict=True
    ):
        field.extend(row)
    layers = _of_layers(training)
    for layer in layers:
        measured.attention_entropy.append(layer.attention_entropy)
        measured.largest_logit.append(layer.largest_logit)
        measured.residual_rms.append(layer.residual_rms)
        measured.dead_units.append(layer.dead_units)
    return measured


def _of_tensors(training: Training, result: StepResult) -> tuple[list[str], list[list[float]]]:
    """Names; RMS of weights before the update, gradients before clipping, updates: (3, tensors).

    The update is worked out from AdamW's moments, which are still those it was made of; keeping a
    copy of all weights to compare with would take a quarter of a run's memory:

        w' = w (1 - pull) - pace d    where  d = m / (sqrt(v) + epsilon),  pull = rate decay

    Reading four numbers for each weight is what takes the time, so neither w nor the update is
    written down. Both are sums of w' and d, and the square of a sum comes from three products:

        |a w' + b d|^2 = a^2 w'w' + 2 a b w'd + b^2 dd
    """
    names, parameters = zip(*training.model.named_parameters(), strict=True)
    optimizer = training.optimizer
    made = float(optimizer.state[parameters[0]]["step"])  # updates: of all tensors as many
    group = optimizer.param_groups[0]
    beta1, beta2 = group["betas"]
    first, second = 1 - beta1**made, 1 - beta2**made  # what the young moments still lack
    pace = group["lr"] * math.sqrt(second) / first
    epsilon = group["eps"] * math.sqrt(second)
    products = [_products(each, optimizer.state[each], epsilon=epsilon) for each in parameters]
    ww, wd, dd, gradients = torch.stack(products).cpu().unbind(1)  # each (tensors)
    decay = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    pull = group["lr"] * torch.tensor([decay[each] for each in parameters], dtype=torch.float64)
    weights = (ww + 2 * pace * wd + pace**2 * dd) / (1 - pull) ** 2
    updates = (pull**2 * ww + 2 * pull * pace * wd + pace**2 * dd) / (1 - pull) ** 2
    # The optimizer has shortened the gradients in place (see clip_and_step).
    clip = training.spec.optimizer.clip
    gradients *= max(1.0, result.grad_norm / clip) ** 2 if clip else 1.0
    sizes = torch.tensor([parameter.numel() for parameter in parameters])
    rms = (torch.stack([weights, gradients, updates]) / sizes).sqrt()  # (3, tensors)
    return list(names), rms.tolist()


def _products(parameter: Tensor, state: Mapping[str, Tensor], *, epsilon: float) -> Tensor:
    """Of a tensor's weights w' and the direction d they went: w'w', w'd, dd; and gg, (4)."""
    assert parameter.grad is not None
    rows = (parameter.detach(), parameter.grad, state["exp_avg"], state["exp_avg_sq"])
    on_processor = parameter.device.type == "cpu"
    if on_processor and (operations := kernels.operations()) is not None:
        sums: Tensor = operations.health_sums(*rows, epsilon)
        return sums
    size = CHUNK if on_processor else CHUNK_ON_DEVICE
    products: list[Tensor] = []
    for after, gradient, mean, square in zip(
        *(torch.split(row.view(-1), size) for row in rows), strict=True
    ):
        direction = square.sqrt().add_(epsilon)
        torch.div(mean, direction, out=direction)
        pairs = ((after, after), (after, direction), (direction, direction), (gradient, gradient))
        products += [one @ other for one, other in pairs]
    return torch.stack(products).double().view(-1, 4).sum(0)


@dataclass(frozen=True)
class LayerHealth:
    """One layer on a piece of the step's batch, with the weights after the step."""

    attention_entropy: float
    largest_logit: float
    residual_rms: float
    dead_units: float


def _of_layers(training: Training) -> list[LayerHealth]:
    """A forward pass that is watched. It is one of its own, because the training's must not differ
    between a step that is watched and one that is not."""
    read: dict[nn.Module, Tensor] = {}
    seen: dict[nn.Module, Tensor] = {}

    def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        read[module], seen[module] = inputs[0], output

    blocks: list[Any] = list(training.model.blocks)
    watched = [
        module.register_forward_hook(note)
        for block in blocks
        for module in (block.attn.c_attn, block.mlp.c_proj, block)
    ]
    training.model.eval()
    try:
        inputs, _ = next(training.batches.of_step(training.step, micro_batch=1))
        training.model.hidden(inputs[:, :TOKENS].to(training.device), dtype=training.dtype)
    finally:
        training.model.train()
        for handle in watched:
            handle.remove()
    heads = training.spec.model.heads
    numbers = [
        torch.stack(
            [
                *_attention(seen[block.attn.c_attn].float(), heads),
                seen[block].float().square().mean().sqrt(),
                _dead(read[block.mlp.c_proj]),
            ]
        )
        for block in blocks
    ]
    return [LayerHealth(*layer) for layer in torch.stack(numbers).tolist()]


def _attention(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Entropy as a share of the most it could be, and the largest score; from (1, T, 3 C)."""
    T, C = qkv.shape[1], qkv.shape[2] // 3
    q, k, _ = qkv[0].view(T, 3, heads, C // heads).permute(1, 2, 0, 3)  # each (H, T, D)
    place = torch.arange(T, device=qkv.device)
    # Not minus infinity: its weight is 0 as well, and 0 times it is 0.
    future = torch.where(place[None, :] > place[:, None], _HIDDEN, 0.0)  # (T, T)
    scale = 1 / math.sqrt(C // heads)
    scores = torch.baddbmm(future, q, k.transpose(1, 2), alpha=scale)  # (H, T, T)
    weights = scores.softmax(dim=-1)
    # -sum(p ln p), where ln p = score - total and total = ln(sum of exp of scores). One score and
    # its weight tell the total, so that no logarithm of every weight is needed.
    peak, largest_weight = scores.amax(-1), weights.amax(-1)  # each (H, T)
    total = peak - largest_weight.log()
    entropy = total - weights.mul_(scores).sum(-1)  # (H, T), in nats
    # Query q sees q + 1 keys. The first sees one: it has no choice, and no entropy.
    share = entropy[:, 1:] / (place[1:] + 1).log()
    return share.mean(), peak.max()


def _dead(said: Tensor) -> Tensor:
    """Share of units that say next to nothing about any token; from (1, T, 4 C) after the GELU."""
    return (said.abs().amax(dim=(0, 1)) < DEAD_BELOW).float().mean()
