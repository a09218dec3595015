"""Causal multi-head attention: how a token looks back at the tokens before it.

Book: chapter 3, MultiHeadAttention in section 3.6.2.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.model.blockwise import blockwise_attention, suits
from lab.model.config import GPTConfig
from lab.model.fused import suits_tiles, tiled_attention
from lab.model.kv_cache import LayerCache
from lab.model.layers import Linear
from lab.model.taps import AttentionTap


class MultiHeadAttention(nn.Module):
    """Every token asks a question (query), offers a label (key) and holds an answer (value).

    A token's output is the average of the values of itself and the tokens before it, weighted by
    how well their keys match its query. H heads do this side by side, each on its own D = C / H
    numbers, so that one can follow grammar while another follows names.

    The book has three matrices, W_query, W_key and W_value. Here they are the three thirds of one,
    `c_attn`: the same numbers and the same result, but one large matrix product instead of three
    smaller ones, which keeps a processor busier. The name is GPT-2's.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.head_width = config.head_width
        self.dropout = config.dropout
        self.c_attn = Linear(config.width, 3 * config.width)
        self.c_proj = Linear(config.width, config.width)  # mixes what the heads found
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, *, cache: LayerCache | None = None, tap: AttentionTap | None = None
    ) -> Tensor:
        qkv: Tensor = self.c_attn(x)  # (B, T, 3 C)
        plain = tap is None and cache is None and not self._dropping
        if plain and suits_tiles(qkv, heads=self.heads):
            joined = tiled_attention(qkv, heads=self.heads)  # (B, T, C)
        elif plain and suits(qkv):
            joined = blockwise_attention(qkv, heads=self.heads)  # (B, T, C)
        else:
            joined = self._whole(qkv, cache, tap)  # (B, T, C)
        y: Tensor = self.resid_dropout(self.c_proj(joined))
        return y

    def _whole(self, qkv: Tensor, cache: LayerCache | None, tap: AttentionTap | None) -> Tensor:
        B, T, C = qkv.shape[0], qkv.shape[1], self.heads * self.head_width
        q, k, v = torch.split(qkv, C, dim=2)  # each (B, T, C)
        # Split C into heads, and put the head before the time: each head is a batch of its own.
        q = q.view(B, T, self.heads, self.head_width).transpose(1, 2)  # (B, H, T, D)
        k = k.view(B, T, self.heads, self.head_width).transpose(1, 2)  # (B, H, T, D)
        v = v.view(B, T, self.heads, self.head_width).transpose(1, 2)  # (B, H, T, D)
        if cache is not None:
            k, v = cache.extend(k, v)  # (B, H, S, D): S tokens so far, these T included
        heads = self._fused(q, k, v) if tap is None else self._eager(q, k, v, tap)  # (B, H, T, D)
        return heads.transpose(1, 2).reshape(B, T, C)  # the heads side by side again

    @property
    def _dropping(self) -> bool:
        return self.training and self.dropout > 0

    def _fused(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same as `_eager` in one kernel that never writes the (T, S) weights to memory."""
        T, S = q.shape[2], k.shape[2]
        dropout = self.dropout if self._dropping else 0.0
        if T == S:
            return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        # With a cache the T queries are the newest of S tokens. A single one may see everything.
        mask = None if T == 1 else causal_mask(T, S, device=q.device)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)

    def _eager(self, q: Tensor, k: Tensor, v: Tensor, tap: AttentionTap) -> Tensor:
        """Attention as in the book, one line per idea; leaves the weights in the tap.

        softmax(Q K^T / sqrt(D)) V. A dot product of D independent numbers of size 1 has a spread of
        sqrt(D); dividing by it keeps the scores near 1. Without it the softmax would put nearly
        all weight on one token from the first step on, and its gradient would vanish.
        """
        T, S = q.shape[2], k.shape[2]
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(self.head_width)  # (B, H, T, S)
        # A token must not see what it is to predict: minus infinity becomes weight 0.
        scores = scores.masked_fill(~causal_mask(T, S, device=q.device), float("-inf"))
        weights = scores.softmax(dim=-1)  # each row sums to 1
        tap.weights = weights
        dropped = F.dropout(weights, self.dropout, training=self.training)
        return dropped @ v  # (B, H, T, S) @ (B, H, S, D) = (B, H, T, D)


def causal_mask(queries: int, keys: int, *, device: torch.device) -> Tensor:
    """True where a query may look: the queries are the last of the keys."""
    allowed = torch.ones(queries, keys, dtype=torch.bool, device=device)
    return allowed.tril(diagonal=keys - queries)
