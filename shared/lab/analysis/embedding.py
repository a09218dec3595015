"""A map of the token embedding: its directions of largest spread (principal components).

Two maps of one run would be turned and mirrored at will, since a principal component has no sign
and near-equal ones may swap. So a map can be turned onto another as nearly as it goes (orthogonal
Procrustes; Schoenemann, 1966): then what moves between them has moved in the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.model import GPTModel

AXES = 3


@dataclass(frozen=True)
class EmbeddingMap:
    """Points of n tokens."""

    ids: Tensor  # (n)
    points: Tensor  # (n, 3)
    share: Tensor  # (3) of the spread that each axis shows


@torch.inference_mode()
def embedding_map(
    model: GPTModel, ids: Sequence[int], *, onto: EmbeddingMap | None = None
) -> EmbeddingMap:
    """Of the tokens `ids`, each once. `onto`: a map of the same tokens to turn it onto."""
    tokens = torch.tensor(list(dict.fromkeys(ids)))
    vectors = model.token_embedding.weight.detach()[tokens].double()  # (n, C)
    centred = vectors - vectors.mean(0)
    _, sizes, axes = torch.linalg.svd(centred, full_matrices=False)
    kept = min(AXES, len(sizes))
    points = torch.zeros(len(tokens), AXES, dtype=torch.float64)
    points[:, :kept] = centred @ axes[:kept].T
    share = torch.zeros(AXES, dtype=torch.float64)
    share[:kept] = sizes[:kept] ** 2 / (sizes**2).sum().clamp(min=1e-30)
    if onto is not None:
        # The turn Q that brings points Q nearest to the other map: of the SVD U S V^T of
        # points^T other, Q = U V^T.
        left, _, right = torch.linalg.svd(points.T @ onto.points.double())
        points = points @ (left @ right)
    return EmbeddingMap(tokens, points.float(), share.float())


@dataclass(frozen=True)
class Neighbours:
    """Nearest first."""

    neighbour_ids: Tensor  # (top)
    cosine: Tensor  # (top)
    length: Tensor  # (1) of the token's own vector


@torch.inference_mode()
def neighbours(model: GPTModel, token: int, *, top: int, vocab_size: int) -> Neighbours:
    """The tokens whose embeddings point most nearly the same way. A map shows two or three of many
    directions, so what lies near on it need not be near; this is measured in all of them."""
    vectors = model.token_embedding.weight.detach()[:vocab_size]  # (V, C)
    lengths = vectors.norm(dim=-1)  # (V)
    cosine = (vectors @ vectors[token]) / (lengths * lengths[token]).clamp(min=1e-30)
    cosine[token] = -torch.inf
    found = cosine.topk(min(top, vocab_size - 1))
    return Neighbours(found.indices, found.values, lengths[token].reshape(1))
