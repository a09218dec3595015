"""GPT-2's byte-pair tokenizer: text to ids and back. tiktoken does the work.

A token is a run of bytes that often occur together: " the" is one token, a rare word is several
(book, section 2.5). Working on bytes rather than letters means that no text is ever unknown: in the
worst case each byte is a token of its own.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import regex
import tiktoken
from numpy.typing import ArrayLike, NDArray

from lab.errors import InvalidArgument
from lab.text.assets import Assets
from lab.text.merging import Merge, merges_of

EOT = "<|endoftext|>"
# Splits a text into words before merging, so that no token spans two words. Same language as the
# pattern of GPT-2's release, in tiktoken's faster spelling.
_WORDS = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
_CUT = regex.compile(_WORDS)


class Tokenizer:
    """The tokenizer of every model in the lab. Fetches its vocabulary on first use."""

    vocab_size = 50_257
    eot = 50_256  # stands before every document: "what follows is a new text"

    def __init__(self, assets: Assets | None = None) -> None:
        self.encoder = (assets or Assets.at_home()).fetch("gpt2-encoder")
        self._encoding = _encoding(self.encoder)

    @classmethod
    def of_file(cls, encoder: Path) -> "Tokenizer":
        """From a vocabulary file that was verified already, as in a process of a pool."""
        tokenizer = cls.__new__(cls)
        tokenizer.encoder, tokenizer._encoding = encoder, _encoding(encoder)
        return tokenizer

    def encode(self, text: str) -> list[int]:
        """Token ids of a text. "<|endoftext|>" in it is text like any other, never the token."""
        return self._encoding.encode_ordinary(text)

    def encode_array(self, text: str) -> NDArray[np.uint16]:
        """As `encode`, without a Python number for each token: for whole corpora."""
        return self._encoding.encode_to_numpy(text, disallowed_special=()).astype("<u2")

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids. Bytes that are not whole characters become U+FFFD."""
        return b"".join(self._bytes(token) for token in ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids, for those who join pieces before reading them as text."""
        return b"".join(self._bytes(token) for token in ids)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        r"""Each id's own text for display; bytes that are no character alone appear as \xNN."""
        return [self._bytes(token).decode("utf-8", errors="backslashreplace") for token in ids]

    def words(self, text: str) -> list[bytes]:
        """The pieces that a text is cut into before any merging; no token spans two of them."""
        return [word.encode() for word in _CUT.findall(text)]

    def merges(self, word: bytes) -> list[Merge]:
        """How one of those words becomes tokens."""
        return merges_of(word, self._token)

    def _token(self, piece: bytes) -> int | None:
        try:
            return self._encoding.encode_single_token(piece)
        except KeyError:
            return None

    def count_bytes(self, ids: ArrayLike) -> int:
        """Bytes of the text of the ids; end-of-text stands for no text and counts none."""
        tokens, counts = np.unique(np.asarray(ids), return_counts=True)
        pairs = zip(tokens.tolist(), counts.tolist(), strict=True)
        return sum(len(self._bytes(token)) * count for token, count in pairs if token != self.eot)

    def _bytes(self, token: int) -> bytes:
        if not 0 <= token < self.vocab_size:
            raise InvalidArgument.field(
                "token_ids", f"must be from 0 to {self.vocab_size - 1:,}, but one is {token}"
            )
        return self._encoding.decode_single_token_bytes(token)


@functools.cache
def _encoding(encoder_json: Path) -> tiktoken.Encoding:
    """Builds GPT-2's encoding from its vocabulary file, instead of letting tiktoken download it.

    The file maps token strings to ids, and the ids are the merge ranks. Its strings spell bytes
    that cannot be printed as letters from U+0100 on; `spelled` undoes that.
    """
    printable = [byte for byte in range(256) if chr(byte).isprintable() and chr(byte) != " "]
    others = [byte for byte in range(256) if byte not in printable]
    spelled = {chr(byte): byte for byte in printable}
    spelled |= {chr(0x100 + index): byte for index, byte in enumerate(others)}
    vocabulary: dict[str, int] = json.loads(encoder_json.read_bytes())
    ranks = {
        bytes(spelled[letter] for letter in word): rank
        for word, rank in vocabulary.items()
        if word != EOT
    }
    return tiktoken.Encoding(
        "gpt2",
        pat_str=_WORDS,
        mergeable_ranks=ranks,
        special_tokens={EOT: Tokenizer.eot},
        explicit_n_vocab=Tokenizer.vocab_size,
    )
