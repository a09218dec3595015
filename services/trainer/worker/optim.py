"""AdamW and the learning rate: how gradients become updates."""

import math

import torch
from torch import nn
from torch.optim import AdamW

from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import OptimizerSpec, RunSpec


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


def learning_rate(spec: RunSpec, step: int) -> float:
    """The learning rate of the update that makes step `step`: a pure function of the spec.

    The warm-up is there because AdamW's first estimates of the gradients' sizes rest on a few
    batches. After it the rate falls, so that late steps refine rather than jump about.
    """
    peak, schedule, last = spec.optimizer.learning_rate, spec.schedule, spec.budget.steps
    warmup = schedule.warmup_steps
    if step <= warmup:
        return peak * step / warmup
    # 0 right after the warm-up, 1 at the last step.
    progress = (step - warmup - 1) / max(1, last - warmup - 1)
    if schedule.shape == run_spec_pb2.SCHEDULE_SHAPE_COSINE:
        share = (1 + math.cos(math.pi * min(1.0, progress))) / 2
    elif schedule.shape == run_spec_pb2.SCHEDULE_SHAPE_LINEAR:
        share = 1 - min(1.0, progress)
    else:
        share = 1.0
    return peak * (schedule.floor + (1 - schedule.floor) * share)
