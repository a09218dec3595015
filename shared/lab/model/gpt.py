"""GPTModel: token ids in, a score for every possible next token out.

Book: chapter 4, section 4.6, GPTModel. Parameter names are those of GPT-2 in Hugging Face's
transformers, so that weights can be exchanged both ways (see lab.model.hf).

Notable choices, all GPT-2's: learned positions; pre-norm blocks; tanh GELU; biases everywhere but
in the head; one matrix for the token embedding and the output head.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from lab.model.block import LAYER_NORM_EPSILON, TransformerBlock
from lab.model.config import GPTConfig
from lab.model.init import initialise
from lab.model.kv_cache import KeyValueCache
from lab.model.layers import LayerNorm
from lab.model.taps import AttentionTap


class GPTModel(nn.Module):
    """A decoder-only transformer.

    `forward` is `logits(hidden(ids))`. They are apart because the head is by far the widest matrix:
    generation wants it at the last position only, and training can fuse it with the loss.
    """

    def __init__(self, config: GPTConfig, *, seed: int | None = None) -> None:
        """Freshly initialised; with a seed the same weights every time, whatever ran before."""
        super().__init__()
        self.config = config
        # The backward pass needs what each block computed. Kept, that is most of the memory of a
        # training; made again from the block's input when its turn comes, it costs one more forward
        # pass, a third of the time. (Activation checkpointing; Chen et al., arXiv 1604.06174.)
        self.recompute_blocks = False
        # The blocks in another form, for training only: there all passes have the same shape.
        self.compiled_blocks: list[Callable[..., Tensor]] = []
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.width),  # what each token means
                "wpe": nn.Embedding(config.context, config.width),  # where it stands
                "drop": nn.Dropout(config.dropout),
                "h": nn.ModuleList([TransformerBlock(config) for _ in range(config.layers)]),
                "ln_f": LayerNorm(config.width, eps=LAYER_NORM_EPSILON),
            }
        )
        # A tied head reuses wte: a token is likely when the last hidden state points where its
        # embedding points. It saves V x C numbers, most of a small model, and both uses train it.
        self.lm_head = (
            None if config.tied else nn.Linear(config.width, config.vocab_size, bias=False)
        )
        initialise(self, layers=config.layers, seed=seed)

    def forward(
        self,
        ids: Tensor,
        *,
        cache: KeyValueCache | None = None,
        taps: Mapping[int, AttentionTap] | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for ids (B, T): row t scores the token that follows token t."""
        return self.logits(self.hidden(ids, cache=cache, taps=taps))

    def hidden(
        self,
        ids: Tensor,
        *,
        cache: KeyValueCache | None = None,
        taps: Mapping[int, AttentionTap] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """The residual stream after the last block and the final norm, (B, T, C).

        With a cache, `ids` are the tokens after those the cache has seen. `dtype` is the type to
        compute in, if it is not to be that of the weights.
        """
        T = ids.shape[1]
        seen = cache.length if cache is not None else 0
        if seen + T > self.config.context:
            raise ValueError(f"{seen + T} tokens are more than the context {self.config.context}")
        positions = torch.arange(seen, seen + T, device=ids.device)  # (T,)
        tokens = self.transformer["wte"](ids)  # (B, T, C)
        x = tokens + self.transformer["wpe"](positions)  # (B, T, C)
        x = self.transformer["drop"](x if dtype is None else x.to(dtype))
        training = torch.is_grad_enabled() and cache is None and not taps
        recompute = self.recompute_blocks and training
        blocks: Iterable[Callable[..., Tensor]] = self.blocks
        if training and self.compiled_blocks:
            blocks = self.compiled_blocks
        for layer, block in enumerate(blocks):
            through = partial(checkpoint, block, use_reentrant=False) if recompute else block
            x = through(
                x,
                cache=cache.layer(layer) if cache is not None else None,
                tap=taps.get(layer) if taps else None,
            )
        if cache is not None:
            cache.length += T
        y: Tensor = self.transformer["ln_f"](x)  # (B, T, C)
        return y

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of every next token, (..., V), for hidden states (..., C)."""
        return F.linear(hidden, self.head_weight)

    @property
    def head_weight(self) -> Tensor:
        """The output matrix, (V, C)."""
        head = self.transformer["wte"] if self.lm_head is None else self.lm_head
        assert isinstance(head.weight, Tensor)
        return head.weight

    @property
    def token_embedding(self) -> nn.Embedding:
        """The lookup that turns ids into vectors, (V, C)."""
        embedding = self.transformer["wte"]
        assert isinstance(embedding, nn.Embedding)
        return embedding

    @property
    def blocks(self) -> nn.ModuleList:
        """The transformer blocks, first to last."""
        blocks = self.transformer["h"]
        assert isinstance(blocks, nn.ModuleList)
        return blocks

    @torch.no_grad()
    def attention_weights(self, ids: Tensor, layers: Collection[int]) -> dict[int, Tensor]:
        """Attention weights (B, H, T, T) of the chosen layers, from the forward pass itself."""
        taps = {layer: AttentionTap() for layer in sorted(layers)}
        if unknown := [layer for layer in taps if not 0 <= layer < self.config.layers]:
            raise ValueError(f"layers {unknown} are not in 0 to {self.config.layers - 1}")
        self.hidden(ids, taps=taps)
        return {layer: tap.taken() for layer, tap in taps.items()}

    def parameter_count(self) -> int:
        """Trainable parameters, each counted once."""
        return sum(parameter.numel() for parameter in self.parameters())
