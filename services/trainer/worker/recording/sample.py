"""Lets the model in training continue a prompt. Book: sections 4.7 and 5.3."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lab.model import GPTModel, KeyValueCache


@torch.no_grad()
def continue_prompt(
    model: GPTModel,
    prompt: Sequence[int],
    *,
    tokens: int,
    temperature: float,
    top_k: int,
    seed: int,
    end: int | None = None,
) -> list[int]:
    """Up to `tokens` new ids; fewer when the context is full or `end` is drawn.

    Its generator is its own, so that drawing samples leaves the training as it was.
    """
    device = model.head_weight.device
    generator = torch.Generator(device).manual_seed(seed)
    cache = KeyValueCache(model.config, device=device)
    ids = torch.tensor([list(prompt)], device=device)  # (1, P), then (1, 1)
    written: list[int] = []
    training = model.training
    model.eval()
    while len(written) < tokens and cache.length + ids.shape[1] <= model.config.context:
        hidden = model.hidden(ids, cache=cache)[:, -1]  # only the last position is needed
        ids = draw(model.logits(hidden), temperature=temperature, top_k=top_k, generator=generator)
        if end is not None and ids.item() == end:
            break
        written.append(int(ids.item()))
    model.train(training)
    return written


def draw(logits: Tensor, *, temperature: float, top_k: int, generator: torch.Generator) -> Tensor:
    """One id (B, 1) for logits (B, V).

    The temperature divides the logits: below 1 the likely becomes likelier, at 0 only the likeliest
    is taken. top_k cuts off the long tail, whose thousands of absurd tokens add up.
    """
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    logits = logits.float() / temperature
    if 0 < top_k < logits.shape[-1]:
        threshold = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < threshold, float("-inf"))
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)
