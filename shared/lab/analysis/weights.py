"""What the weights themselves look like, without any text."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lab.analysis.activations import histogram
from lab.analysis.trace import blocks
from lab.model import GPTModel


@dataclass(frozen=True)
class WeightStatistics:
    """One row per parameter of the model."""

    rows: list[str]
    mean: Tensor  # (rows)
    deviation: Tensor
    rms: Tensor
    smallest: Tensor
    largest: Tensor
    kurtosis: Tensor  # 3 for a bell curve, more with outliers, 0 where all are equal
    histogram: Tensor  # (rows, bins)
    histogram_range: Tensor  # (rows, 2)


@torch.inference_mode()
def weight_statistics(model: GPTModel, *, bins: int = 40) -> WeightStatistics:
    """Of every parameter, in the order of the forward pass."""
    rows = list(dict(model.named_parameters()))
    numbers, spread = [], []
    for name in rows:
        value = model.get_parameter(name).detach().float()
        mean, variance = value.mean(), value.var(unbiased=False)
        fourth = ((value - mean) ** 4).mean()
        kurtosis = torch.where(variance > 0, fourth / variance.clamp(min=1e-30) ** 2, 0.0)
        rms = value.pow(2).mean().sqrt()
        numbers.append((mean, variance.sqrt(), rms, value.min(), value.max(), kurtosis))
        spread.append(histogram(value, bins=bins))
    return WeightStatistics(
        rows,
        *(torch.stack(part) for part in zip(*numbers, strict=True)),
        *(torch.stack(part) for part in zip(*spread, strict=True)),
    )


@torch.inference_mode()
def relative_change(one: GPTModel, other: GPTModel) -> Tensor:
    """Size of other less one over size of one, for each parameter; both of one shape."""
    changes = []
    for name, value in one.named_parameters():
        changed = (other.get_parameter(name) - value).norm() / value.norm().clamp(min=1e-30)
        changes.append(changed.float())
    return torch.stack(changes)


@torch.inference_mode()
def copying(model: GPTModel) -> Tensor:
    """Whether attending to a token makes that token likelier, for each head (L, H), -1 to 1.

    What a head does with a token's embedding, and what the head reads of that, is one V x V matrix,
    W_E W_V W_O W_U. If its eigenvalues are positive the head copies (Elhage et al., 2021). Their
    sum over sizes is the score; AB and BA have the same eigenvalues but for zeros, so those of a
    D x D product will do.
    """
    C, H, D = model.config.width, model.config.heads, model.config.head_width
    embedding, head = model.token_embedding.weight, model.head_weight  # (V, C) both
    meeting = (head.T @ embedding).double()  # (C, C): from the head back to the embedding
    scores = []
    for block in blocks(model):
        values = block.attn.c_attn.weight[2 * C :].double().view(H, D, C)
        outputs = block.attn.c_proj.weight.double().view(C, H, D).permute(1, 0, 2)  # (H, C, D)
        eigen = torch.linalg.eigvals(values @ meeting.T @ outputs)  # (H, D) of (H, D, D)
        scores.append(eigen.real.sum(-1) / eigen.abs().sum(-1).clamp(min=1e-30))
    return torch.stack(scores).float()
