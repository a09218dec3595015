"""The generation loop: read the prompt, draw a token, append it, repeat. Book: section 5.3.3.

Knows no gRPC and no asyncio: an iterator that does one token's work each time it is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from lab.model import GPTModel, KeyValueCache
from services.inference.generation.sampler import draw, likeliest, probability

ALTERNATIVES = 5


@dataclass(frozen=True)
class Options:
    """How to draw; the same options give the same text."""

    max_tokens: int
    temperature: float
    top_k: int
    seed: int
    end_of_text: int


@dataclass(frozen=True)
class Drawn:
    """One token, its probability, and the likeliest ones at its place."""

    token: int
    probability: float
    alternatives: Sequence[tuple[int, float]]


def generate(model: GPTModel, prompt: Sequence[int], options: Options) -> Iterator[Drawn]:
    """Ends after max_tokens, at the end of the model's context, or with the end-of-text token.

    A prompt that fills the context still gets one token: its last position predicts one, though
    there is no position left to read it at.
    """
    cache = KeyValueCache(model.config)
    generator = torch.Generator().manual_seed(options.seed)
    unread = list(prompt)  # first the whole prompt at once, then one token at a time
    for _ in range(min(options.max_tokens, model.config.context - len(prompt) + 1)):
        # Not a decorator on the function: a generator may be resumed by another thread.
        with torch.inference_mode():
            hidden = model.hidden(torch.tensor([unread]), cache=cache)  # (1, T, C)
            logits = model.logits(hidden[0, -1])  # (V,): only the last position is asked
            token = draw(
                logits, temperature=options.temperature, top_k=options.top_k, generator=generator
            )
            drawn = Drawn(token, probability(logits, token), likeliest(logits, ALTERNATIVES))
        yield drawn
        if token == options.end_of_text:
            return
        unread = [token]
