"""One transformer block: attention, then feed-forward, each added to what was there.

Book: chapter 4, section 4.5, TransformerBlock; shortcuts are section 4.4, LayerNorm 4.2.
"""

from torch import Tensor, nn

from lab.model.attention import MultiHeadAttention
from lab.model.config import GPTConfig
from lab.model.feed_forward import FeedForward
from lab.model.kv_cache import LayerCache
from lab.model.layers import LayerNorm
from lab.model.taps import AttentionTap

LAYER_NORM_EPSILON = 1e-5  # GPT-2's


class TransformerBlock(nn.Module):
    """Reads from the residual stream, computes, and adds its finding to the stream.

    `x + f(norm(x))`: the sum is a straight road from the loss back to the embeddings, so that
    gradients reach the first block undiminished however many blocks lie between. The norm stands
    before f (pre-norm) and not on the road itself (post-norm, as in the first transformer), which
    is why deep GPTs train without special care.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = LayerNorm(config.width, eps=LAYER_NORM_EPSILON)
        self.attn = MultiHeadAttention(config)
        self.ln_2 = LayerNorm(config.width, eps=LAYER_NORM_EPSILON)
        self.mlp = FeedForward(config)

    def forward(
        self, x: Tensor, *, cache: LayerCache | None = None, tap: AttentionTap | None = None
    ) -> Tensor:
        x = x + self.attn(self.ln_1(x), cache=cache, tap=tap)  # tokens talk to each other
        x = x + self.mlp(self.ln_2(x))  # each token thinks for itself
        return x
