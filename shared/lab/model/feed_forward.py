"""The feed-forward layer: what a token does with what attention brought it.

Book: chapter 4, section 4.3, FeedForward.
"""

from torch import Tensor, nn

from lab.model.config import GPTConfig
from lab.model.fused import gelu
from lab.model.layers import Linear


class FeedForward(nn.Module):
    """Widens each token's C numbers to 4C, bends them, and narrows them again.

    Attention moves information between tokens but only averages it, which is linear in the values.
    This layer follows it to compute: the same small network for each token on its own. Two thirds
    of a block's parameters are here, and much of what a model knows seems to be stored in them.

    GELU lets a little of slightly negative inputs through, where ReLU has a dead zone with no
    gradient. The tanh form, x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), is GPT-2's own
    approximation; the exact one gives other logits.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        hidden = config.ffn_multiple * config.width
        self.c_fc = Linear(config.width, hidden)
        self.c_proj = Linear(hidden, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        hidden = gelu(self.c_fc(x))  # (B, T, 4C)
        y: Tensor = self.dropout(self.c_proj(hidden))  # (B, T, C)
        return y
