"""Finds NaN and infinity in weights by their bytes, without numpy: a float whose exponent bits are
all ones is one or the other, and those bits are in its highest byte (and the one before)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 1 << 20
# Kind of float -> its bytes, and what its highest byte looks like when it is not finite. For the
# first two that byte also stands for numbers beyond 1e38, which are no weights either.
_FORMS: Final = {
    "F32": (4, re.compile(rb"[\x7f\xff]")),
    "BF16": (2, re.compile(rb"[\x7f\xff]")),
    "F16": (2, re.compile(rb"[\x7c-\x7f\xfc-\xff]")),
}
SIZES_BYTES: Final = {dtype: size for dtype, (size, _) in _FORMS.items()}


def all_finite(path: Path, *, dtype: str, begin: int, end: int) -> bool:
    """Whether every number in these bytes of the file is one that arithmetic can use."""
    size, not_finite = _FORMS[dtype]
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end:
            data = file.read(min(_CHUNK_BYTES, end - begin))
            if not_finite.search(data[size - 1 :: size]):
                return False
            begin += len(data)
    return True
