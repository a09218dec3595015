"""How well the model predicts text it never trains on. Book: section 5.1.3."""

import math
from dataclasses import dataclass

import torch

from lab.model import token_losses
from lab.spec import windows
from lab.text import Tokenizer
from services.trainer.worker.batches import read_windows
from services.trainer.worker.training import Training


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy in nats per token, the tokens it is the mean of, the bytes they spell."""

    loss: float
    tokens: int
    text_bytes: int

    @property
    def bits_per_byte(self) -> float | None:
        """What it takes to write down one byte of that text when the model does the guessing.

        A tokenizer with longer tokens has fewer of them, and each is harder to guess: losses per
        token of two tokenizers cannot be compared, bits per byte can.
        """
        if not self.text_bytes:
            return None
        return self.loss * self.tokens / (math.log(2) * self.text_bytes)


@torch.no_grad()
def evaluate(training: Training) -> Evaluation:
    """The loss on the run's validation windows: the same ones every time, spread evenly.

    Because they never change, two evaluations differ only by what the model learned between them.
    """
    spec, device = training.spec, training.device
    context, size = spec.model.context, spec.budget.micro_batch
    there = windows(len(training.validation), context)
    wanted = min(there, spec.hooks.evaluate_batches * size)
    chosen = [index * there // wanted for index in range(wanted)]
    total = torch.zeros((), dtype=torch.float64, device=device)
    tokenizer, text_bytes = Tokenizer(), 0
    training.model.eval()
    for start in range(0, wanted, size):
        inputs, targets = read_windows(
            training.validation, chosen[start : start + size], context=context
        )
        hidden = training.model.hidden(inputs.to(device), dtype=training.dtype)  # (B, T, C)
        losses = token_losses(
            hidden.flatten(0, 1),
            training.model.head_weight,
            targets.to(device).flatten(),
            room=training.room,
        )
        total += losses.sum()
        text_bytes += tokenizer.count_bytes(targets)
    training.model.train()
    tokens = wanted * context
    return Evaluation(loss=total.item() / tokens, tokens=tokens, text_bytes=text_bytes)
