"""A few parts of a training step in C++, where torch would go through memory several times.

Never needed: each caller has the same in torch beside it, which explains it and is what the tests
compare with. They are for bf16 on processors that multiply it by themselves.
"""

import hashlib
from functools import cache
from typing import Any

import torch

from lab.kernels.build import library

__all__ = ["operations", "tiled_operations", "told"]


@cache
def operations() -> Any | None:
    """torch.ops.lab; None where it was not built or this processor has not the instructions."""
    if "AVX512" not in torch.backends.cpu.get_cpu_capability():
        return None
    if not torch.cpu._is_avx512_bf16_supported() or not library().exists():
        return None
    try:
        torch.ops.load_library(str(library()))  # type: ignore[no-untyped-call]
    except OSError:  # built for another C library, say
        return None
    return torch.ops.lab


@cache
def tiled_operations() -> Any | None:
    """The same, if products of bf16 matrices are made in tiles (AMX) too."""
    found = operations()
    if found is None or not torch.cpu._is_amx_tile_supported() or not found.multiplies_in_tiles():
        return None
    return found


@cache
def told() -> str:
    """Which they are, for who compares bits: a digest of the library, or that they are torch's."""
    if operations() is None:
        return "torch's own"
    digest = hashlib.sha256(library().read_bytes()).hexdigest()[:12]
    return f"lab {digest}" + ("" if tiled_operations() else " without tiles")
