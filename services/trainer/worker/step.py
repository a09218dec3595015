"""One optimizer step: read, predict, compare, find the gradients, move the weights.

Book: chapter 5, the loss in section 5.1 and the training function in 5.2.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from services.trainer.worker.optim import learning_rate
from services.trainer.worker.randomness import derive
from services.trainer.worker.training import Training


@dataclass(frozen=True)
class StepResult:
    """What a step was like."""

    loss: float  # of the batch before the update, in nats per token
    grad_norm: float  # before clipping
    learning_rate: float


class Diverged(Exception):
    """The loss or the gradient is no number any more; the step was not applied."""


def training_step(training: Training) -> StepResult:
    """Makes the next step of the run; raises Diverged and leaves the weights as they were.

    The batch goes through the model in micro-batches, as large as memory allows, whose gradients
    add up. Each loss is the sum over its tokens divided by the tokens of the whole batch, so that
    any way of cutting the batch gives the same mean.
    """
    spec, optimizer = training.spec, training.optimizer
    step = training.step + 1
    rate = learning_rate(spec, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=False)  # keeps the memory: fresh pages cost more than zeros
    loss = torch.zeros((), device=training.device)
    batch_tokens = spec.budget.batch * spec.model.context
    micro_batches = training.batches.of_step(step, micro_batch=spec.budget.micro_batch)
    for micro, (inputs, targets) in enumerate(micro_batches):
        if spec.model.dropout:
            torch.manual_seed(derive(spec.data.seed, "dropout", step, micro))
        share = _summed_loss(training, inputs, targets) / batch_tokens
        share.backward()  # type: ignore[no-untyped-call]  # adds to every parameter's .grad
        loss += share.detach()
    norm = _clip(training)
    result = StepResult(loss=loss.item(), grad_norm=norm.item(), learning_rate=rate)
    if not (math.isfinite(result.loss) and math.isfinite(result.grad_norm)):
        optimizer.zero_grad(set_to_none=False)
        raise Diverged(_advice(step, result, clip=spec.optimizer.clip))
    optimizer.step()
    training.step = step
    training.loss = result.loss
    return result


def _summed_loss(training: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy: how surprised the model is by each next token, summed, in nats."""
    inputs, targets = inputs.to(training.device), targets.to(training.device)
    with training.autocast():
        logits = training.model(inputs)  # (B, T, V)
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum")


def _clip(training: Training) -> Tensor:
    """Shortens a gradient that is longer than `clip`, keeping its direction; answers its length.

    One odd batch can give a gradient many times the usual one; unclipped it would undo hours.
    """
    limit = training.spec.optimizer.clip or math.inf
    return torch.nn.utils.clip_grad_norm_(training.model.parameters(), limit)


def _advice(step: int, result: StepResult, *, clip: float) -> str:
    what = (
        f"the loss became {result.loss}"
        if not math.isfinite(result.loss)
        else f"the gradient norm became {result.grad_norm}"
    )
    tries = [f"a lower learning rate than {result.learning_rate:g}", "a longer warm-up"]
    if not clip:
        tries.append("gradient clipping (optimizer.clip 1.0)")
    return (
        f"At step {step} {what}, so the step was not applied and the run ended. "
        f"Try {', or '.join(tries)}."
    )
