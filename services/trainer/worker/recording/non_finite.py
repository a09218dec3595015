"""Where a step first held a value that is no number: the step is made again, and watched."""

from typing import Any

import torch
from torch import Tensor, nn

from services.trainer.worker.training import Training


def first_non_finite(training: Training) -> str:
    """The first in the order of computing, by name; empty when none is found.

    Weights are only moved by steps that were fine, so the same forward pass gives the same numbers
    again. The gradients of the bad step are still there: they are set to zero by the next one. One
    that overflows spoils those computed after it, and backward goes from the last layer to the
    first, so the last in the order of the model is the first.
    """
    for name, parameter in training.model.named_parameters():
        if not _finite(parameter):
            return name
    if found := _in_forward_pass(training):
        return found
    for name, parameter in reversed(list(training.model.named_parameters())):
        if parameter.grad is not None and not _finite(parameter.grad):
            return f"gradient of {name}"
    return ""


@torch.no_grad()
def _in_forward_pass(training: Training) -> str:
    found: list[str] = []

    def watch(name: str, module: nn.Module) -> Any:
        def look(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if not found and isinstance(output, Tensor) and not _finite(output):
                found.append(f"output of {name}")

        return module.register_forward_hook(look)

    watched = [watch(name, module) for name, module in training.model.named_modules() if name]
    try:
        size = training.spec.budget.micro_batch
        for inputs, _ in training.batches.of_step(training.step, micro_batch=size):
            training.model.hidden(inputs.to(training.device), dtype=training.dtype)
            if found:
                return found[0]
    finally:
        for handle in watched:
            handle.remove()
    return ""


def _finite(numbers: Tensor) -> bool:
    return bool(torch.isfinite(numbers).all())
