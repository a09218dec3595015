"""How every tensor and every layer is doing, in a few numbers each.

Per tensor: how large its weights are, its gradient, and what the last update changed it by, each as
a root mean square. The update as a share of the weights is the number to watch: near 0.001 a tensor
learns, far below it hardly moves, far above it is being torn about.

Per layer: whether its attention still looks at several tokens, how large its largest score is (too
large, and softmax picks one token for ever), how large the residual stream has grown, and how many
units of the feed-forward do nothing.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.v1.recording_pb2 import HealthMeasured
from services.trainer.worker.step import StepResult
from services.trainer.worker.training import Training

# Numbers that are worked on at once: what is made of them stays in a processor's cache.
CHUNK = 1 << 17
# Tokens of the step's batch whose way through the layers is looked at.
TOKENS = 256
DEAD_BELOW = 0.01


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
    """Names; RMS of weights before the update, gradients before clipping, updates: (3, tensors)."""
    decay = {
        parameter: float(group["weight_decay"])
        for group in training.optimizer.param_groups
        for parameter in group["params"]
    }
    names, squares, sizes = [], [], []
    for name, parameter in training.model.named_parameters():
        names.append(name)
        sizes.append(parameter.numel())
        squares.append(_squares(training, parameter, decay[parameter]))  # (3,)
    mean = torch.stack(squares).double() / torch.tensor(sizes, device=training.device)[:, None]
    rms: list[list[float]] = mean.sqrt().T.tolist()  # (3, tensors): one look at the device
    # The optimizer has shortened the gradients in place (see clip_and_step).
    clip = training.spec.optimizer.clip
    shortened = max(1.0, result.grad_norm / clip) if clip else 1.0
    return names, [rms[0], [each * shortened for each in rms[1]], rms[2]]


def _squares(training: Training, parameter: Tensor, decay: float) -> Tensor:
    """Sums of squares of a tensor's weights, gradient and update, (3).

    The update is worked out from AdamW's moments, which are still those it was made of; keeping a
    copy of all weights to compare with would take a quarter of a run's memory:

        w <- w (1 - rate decay) - rate m' / (sqrt(v') + epsilon)
    """
    group, state = training.optimizer.param_groups[0], training.optimizer.state[parameter]
    beta1, beta2 = group["betas"]
    rate, made = float(group["lr"]), state["step"]  # of updates, on the device
    first, second = 1 - beta1**made, 1 - beta2**made  # what the young moments still lack
    sums = torch.zeros(3, device=parameter.device)
    assert parameter.grad is not None
    rows = (parameter, parameter.grad, state["exp_avg"], state["exp_avg_sq"])
    for weight, gradient, mean, square in zip(
        *(row.detach().view(-1).split(CHUNK) for row in rows), strict=True
    ):
        step = (square / second).sqrt_().add_(group["eps"])
        step = torch.div(mean, step, out=step).mul_(rate / first)
        before = (weight + step).div_(1 - rate * decay)
        change = torch.sub(weight, before, out=step)
        for index, part in enumerate((before, gradient, change)):
            sums[index] += part @ part
    return sums


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
    seen: dict[nn.Module, Tensor] = {}
    blocks: list[Any] = list(training.model.blocks)
    watched = [
        module.register_forward_hook(lambda module, _inputs, output: seen.update({module: output}))
        for block in blocks
        for module in (block.attn.c_attn, block.mlp.c_fc, block)
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
                _dead(seen[block.mlp.c_fc].float()),
            ]
        )
        for block in blocks
    ]
    return [LayerHealth(*layer) for layer in torch.stack(numbers).tolist()]


def _attention(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Entropy as a share of the most it could be, and the largest score; from (1, T, 3 C)."""
    T, C = qkv.shape[1], qkv.shape[2] // 3
    q, k, _ = qkv[0].view(T, 3, heads, C // heads).permute(1, 2, 0, 3)  # each (H, T, D)
    scores = q @ k.transpose(1, 2) / math.sqrt(C // heads)  # (H, T, T)
    place = torch.arange(T, device=qkv.device)
    future = place[None, :] > place[:, None]  # (T, T)
    scores.masked_fill_(future, float("-inf"))
    weights = scores.softmax(dim=-1)
    # -sum(p ln p), where ln p = score - total and total = ln(sum of exp of scores). One score and
    # its weight tell the total, so that no logarithm of every weight is needed.
    peak, largest_weight = scores.amax(-1), weights.amax(-1)  # each (H, T)
    total = peak - largest_weight.log()
    entropy = total - (weights * scores.masked_fill_(future, 0.0)).sum(-1)  # (H, T), in nats
    # Query q sees q + 1 keys. The first sees one: it has no choice, and no entropy.
    share = entropy[:, 1:] / (place[1:] + 1).log()
    return share.mean(), peak.max()


def _dead(hidden: Tensor) -> Tensor:
    """Share of units that say next to nothing about any token; from (1, T, 4 C) before the GELU."""
    loudest = F.gelu(hidden, approximate="tanh").abs().amax(dim=(0, 1))  # (4 C)
    return (loudest < DEAD_BELOW).float().mean()
