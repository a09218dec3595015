"""Text and tokens: the tokenizer, the corpora, and the assets both come from. No torch in here."""

from lab.text.assets import Assets, AssetStatus, Progress
from lab.text.corpora import Corpora
from lab.text.documents import DocumentReader
from lab.text.files import find_texts
from lab.text.splits import Tokens, TokenSplits, open_splits
from lab.text.tokenizer import Tokenizer

__all__ = [
    "AssetStatus",
    "Assets",
    "Corpora",
    "DocumentReader",
    "Progress",
    "TokenSplits",
    "Tokenizer",
    "Tokens",
    "find_texts",
    "open_splits",
]
