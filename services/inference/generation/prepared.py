"""A network made ready for writing: how its hidden states are computed, and how they are scored."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lab.model import GPTModel
from services.inference.generation.decoder import Decoder
from services.inference.generation.head import Bf16Shortlist, Head, reads_faster
from services.inference.generation.packed import PackedDecoder, PackedShortlist, suits


@dataclass(frozen=True, eq=False)  # each is itself, so that it can be a key
class Prepared:
    network: GPTModel
    decoder: Decoder | PackedDecoder
    head: Head

    @property
    def context(self) -> int:
        return self.network.config.context

    @property
    def copies_bytes(self) -> int:
        """Memory taken beside the network's own weights."""
        return self.decoder.copies_bytes + self.head.copies_bytes


@torch.inference_mode()
def prepare(network: GPTModel, *, vocab_size: int, kernels: bool = True) -> Prepared:
    """Copies weights into the form in which they are read fastest here: up to seconds of work.

    Ids from `vocab_size` on are never drawn. Without `kernels`, or where there are none, by torch.
    """
    weight = network.head_weight.detach()[:vocab_size]  # (V, C)
    if kernels and suits(network.config):
        return Prepared(network, PackedDecoder(network), Head(weight, PackedShortlist(weight)))
    shortlist = Bf16Shortlist(weight) if reads_faster(weight) else None
    return Prepared(network, Decoder(network), Head(weight, shortlist))
