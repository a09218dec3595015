"""Arrays of an answer, without any library for numbers: a shape and its numbers in one row.

With numpy at hand: `numpy.asarray(found.flat).reshape(found.shape)`.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.errors import LabError
from lab.v1 import tensor_pb2
from lab.v1.tensor_pb2 import NamedTensor, Tensor


@dataclass(frozen=True)
class Numbers:
    """A dense array; the last axis changes fastest."""

    shape: tuple[int, ...]
    flat: array[float] | array[int]

    def at(self, *place: int) -> float:
        """One number; as many indexes as axes."""
        index = 0
        for here, size in zip(place, self.shape, strict=True):
            if not 0 <= here < size:
                raise IndexError(f"{place} is outside of {self.shape}")
            index = index * size + here
        return self.flat[index]

    def part(self, *place: int) -> Numbers:
        """What is left when the first axes are fixed."""
        rest = self.shape[len(place) :]
        index = 0
        for here, size in zip(place, self.shape, strict=False):
            index = index * size + here
        count = math.prod(rest)
        return Numbers(rest, self.flat[index * count : (index + 1) * count])

    def little_endian(self) -> bytes:
        """The numbers as four bytes each, as files and the wire have them."""
        return _own_order(self.flat.tobytes())

    def rows(self) -> list[list[float]]:
        """Of two axes."""
        count, _ = self.shape
        return [list(self.part(row).flat) for row in range(count)]


def arrays(named: Iterable[NamedTensor]) -> Mapping[str, Numbers]:
    """`answer.tensors`, `answer.other_tensors` or `answer.differences`, by name."""
    return {each.name: numbers(each.tensor) for each in named}


def numbers(tensor: Tensor) -> Numbers:
    """One-byte weights become fractions again; triangles are filled up with zeros."""
    shape = tuple(tensor.shape)
    if tensor.dtype in (tensor_pb2.DTYPE_FLOAT32, tensor_pb2.DTYPE_INT32):
        flat: array[float] | array[int]
        flat = array("f") if tensor.dtype == tensor_pb2.DTYPE_FLOAT32 else array("i")
        flat.frombytes(_own_order(tensor.data))
    else:
        weights = [(q / 255) ** 2 for q in range(256)]
        if tensor.dtype == tensor_pb2.DTYPE_UINT8_SQRT:
            flat = array("f", (weights[q] for q in tensor.data))
        elif tensor.dtype == tensor_pb2.DTYPE_UINT8_SQRT_TRIANGLE:
            flat = _filled(tensor.data, shape[-1], weights)
        else:
            raise LabError(f"this lab does not know arrays of kind {tensor.dtype}; update it")
    if len(flat) != math.prod(shape):
        raise LabError(f"an array of shape {shape} came with {len(flat)} numbers")
    return Numbers(shape, flat)


def _own_order(data: bytes) -> bytes:
    """Little-endian numbers of four bytes in the order of this machine, and back."""
    if sys.byteorder == "little":
        return data
    swapped = array("i", data)
    swapped.byteswap()
    return swapped.tobytes()


def _filled(data: bytes, side: int, weights: list[float]) -> array[float]:
    """Square matrices, one after the other, from their lower triangles."""
    flat = array("f")
    place = 0
    while place < len(data):
        for row in range(side):
            flat.extend(weights[q] for q in data[place : place + row + 1])
            flat.extend(0.0 for _ in range(side - row - 1))
            place += row + 1
    return flat
