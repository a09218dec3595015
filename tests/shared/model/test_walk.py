"""What the walk through the network says is what the network does."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.model import GPTModel
from lab.model.walk import walk


def test_the_walk_ends_at_the_models_loss(model: GPTModel, ids: Tensor) -> None:
    lines: list[str] = []
    before = model(ids[:1])
    walk(model, ids[0].tolist(), target=5, say=lines.append)
    loss = F.cross_entropy(before[:, -1], torch.tensor([5])).item()
    assert any(f"{loss:.4f} nats; ln V is {math.log(97):.4f}" in line for line in lines)
    shapes = [line for line in lines if "rms" in line]
    # Two embeddings, seven stations in each of the two blocks, the last norm, the logits.
    assert len(shapes) == 2 + 2 * 7 + 1 + 1 == len(set(shapes))
    assert "(1, 16, 128)" in next(line for line in lines if line.startswith("h.1.mlp.c_fc"))
    assert torch.equal(model(ids[:1]), before), "nothing is left in the model"
    assert not any(module._forward_hooks for module in model.modules())
