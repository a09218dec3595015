"""Memory beside the live state: a save copies into it in milliseconds, and training goes on while
the copy is written.

The buffers are allocated once and used again: memory the system hands out for the first time is
cleared page by page on first touch, which takes several times as long as the copy itself.
"""

from collections.abc import Mapping

import psutil
import torch
from torch import Tensor

from services.trainer.worker.saving.state import Content

# The machine needs room for what comes next.
_SPARE_BYTES = 256 << 20


class Buffers:
    """Copies of tensors by name. Absent until the first save, and again after `release`."""

    def __init__(self) -> None:
        self._tensors: dict[str, Tensor] = {}

    @property
    def size_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self._tensors.values())

    def release(self) -> None:
        self._tensors.clear()

    def fit(self, saved: Content) -> bool:
        """Whether memory holds the copies beside all else."""
        missing = sum(
            value.nbytes for name, value in _named(saved).items() if name not in self._tensors
        )
        if not missing:
            return True
        return missing + _SPARE_BYTES <= psutil.virtual_memory().available

    @torch.no_grad()
    def copy(self, saved: Content) -> Content:
        """The same content, which the next step does not change. Raises MemoryError or
        RuntimeError when memory runs out after all."""
        named = _named(saved)
        for name, value in named.items():
            if name not in self._tensors:
                self._tensors[name] = torch.empty(
                    value.shape, dtype=value.dtype, pin_memory=value.device.type == "cuda"
                )
            self._tensors[name].copy_(value, non_blocking=True)
        if any(value.device.type == "cuda" for value in named.values()):
            torch.cuda.synchronize()
        return Content(
            weights={name: self._tensors[f"weights.{name}"] for name in saved.weights},
            moments={name: self._tensors[f"moments.{name}"] for name in saved.moments},
            documents=saved.documents,
        )


def _named(saved: Content) -> Mapping[str, Tensor]:
    return {
        **{f"weights.{name}": value for name, value in saved.weights.items()},
        **{f"moments.{name}": value for name, value in saved.moments.items()},
    }
