"""Text and tokens: the tokenizer, the corpora, and the assets both come from. No torch in here."""

from lab.text.assets import Assets, AssetStatus, Progress
from lab.text.corpora import Corpora
from lab.text.splits import Tokens, TokenSplits, open_splits
from lab.text.tokenizer import Tokenizer

__all__ = [
    "AssetStatus",
    "Assets",
    "Corpora",
    "Progress",
    "TokenSplits",
    "Tokenizer",
    "Tokens",
    "open_splits",
]
