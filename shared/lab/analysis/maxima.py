"""Where the largest numbers are: neurons that answer strongly, dimensions that carry most."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.analysis.trace import Trace, blocks, trace
from lab.model import GPTModel


@dataclass(frozen=True)
class Maxima:
    """Largest first; `ids` are neurons or dimensions, `places` the tokens they are at."""

    neuron_values: Tensor  # (L, top)
    neuron_ids: Tensor  # (L, top)
    neuron_places: Tensor  # (L, top)
    stream_values: Tensor  # (1 + L, top)
    stream_ids: Tensor  # (1 + L, top)
    stream_places: Tensor  # (1 + L, top)


@torch.inference_mode()
def maxima(
    model: GPTModel, ids: Sequence[int], *, top: int = 10, walked: Trace | None = None
) -> Maxima:
    """Of the feed-forward layers' neurons after GELU, and of the residual stream by size."""
    walked = walked or trace(model, ids)
    neurons = []
    for layer, block in enumerate(blocks(model)):
        wide = block.mlp.c_fc(block.ln_2(walked.blocks[layer].between))  # (T, 4C)
        neurons.append(_largest(F.gelu(wide, approximate="tanh"), top=top, by_size=False))
    streams = [_largest(stream, top=top, by_size=True) for stream in walked.stream]
    return Maxima(
        *(torch.stack(part) for part in zip(*neurons, strict=True)),
        *(torch.stack(part) for part in zip(*streams, strict=True)),
    )


def _largest(values: Tensor, *, top: int, by_size: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Of (T, N): the values, their columns, their rows."""
    flat = values.flatten()
    found = (flat.abs() if by_size else flat).topk(min(top, flat.numel())).indices
    return flat[found], found % values.shape[1], found // values.shape[1]
