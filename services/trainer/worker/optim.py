"""AdamW and the learning rate: how gradients become updates."""

import torch
from torch import nn
from torch.optim import AdamW

from lab.spec import learning_rate
from lab.v1.run_spec_pb2 import OptimizerSpec

__all__ = ["learning_rate", "make_optimizer"]


def make_optimizer(model: nn.Module, spec: OptimizerSpec) -> AdamW:
    """AdamW with weight decay on matrices and embeddings only.

    Decay pulls weights towards 0 so that only what the data keeps asking for stays large. A bias
    or a LayerNorm scale has no such excess, and pulling on it only makes the model worse.

    Moments and gradients are allocated here rather than on first use, so that a fresh run and a
    resumed one go through the very same operations.
    """
    parameters = list(model.parameters())
    groups = [
        {
            "params": [p for p in parameters if p.dim() >= 2],
            "weight_decay": spec.weight_decay,
        },
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = AdamW(
        groups,
        lr=spec.learning_rate,
        betas=(spec.beta1, spec.beta2),
        eps=spec.epsilon,
        fused=True,  # one pass over each parameter instead of about ten
    )
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer
