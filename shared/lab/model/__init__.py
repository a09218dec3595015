"""The transformer, from the book's parts.

Read README.md, then: config, attention, feed_forward, block, gpt, loss; then init, layers,
blockwise, fused, kv_cache, taps, hf, book.
"""

from lab.model.attention import MultiHeadAttention
from lab.model.block import TransformerBlock
from lab.model.book import load_book_weights
from lab.model.config import GPT_CONFIGS, GPTConfig
from lab.model.feed_forward import FeedForward
from lab.model.gpt import GPTModel
from lab.model.hf import load_hf_state, load_pretrained, save_pretrained, to_hf_state
from lab.model.kv_cache import KeyValueCache
from lab.model.loss import LogitsRoom, linear_cross_entropy, token_losses
from lab.model.taps import AttentionTap

__all__ = [
    "GPT_CONFIGS",
    "AttentionTap",
    "FeedForward",
    "GPTConfig",
    "GPTModel",
    "KeyValueCache",
    "LogitsRoom",
    "MultiHeadAttention",
    "TransformerBlock",
    "linear_cross_entropy",
    "load_book_weights",
    "load_hf_state",
    "load_pretrained",
    "save_pretrained",
    "to_hf_state",
    "token_losses",
]
