"""Arrays to the bytes of a lab.v1.Tensor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from lab.errors import InvalidArgument
from lab.v1 import tensor_pb2
from lab.v1.tensor_pb2 import Dtype, Tensor


def _float32(values: torch.Tensor) -> bytes:
    return values.numpy().astype("<f4").tobytes()


def _int32(values: torch.Tensor) -> bytes:
    return values.numpy().astype("<i4").tobytes()


def _uint8_sqrt(values: torch.Tensor) -> bytes:
    """One byte q for the weight (q / 255) squared: steps are small near 0, where most weights are,
    and a weight of exactly 0 stays 0."""
    return (values.sqrt() * 255).round().to(torch.uint8).numpy().tobytes()


def _uint8_sqrt_triangle(values: torch.Tensor) -> bytes:
    """The same of what is not masked, row by row: half the bytes."""
    side = values.shape[-1]
    rows, columns = torch.tril_indices(side, side)
    return _uint8_sqrt(values.flatten(-2).index_select(-1, rows * side + columns))


@dataclass(frozen=True)
class _Encoding:
    bytes_of: Callable[[torch.Tensor], bytes]
    matrix_bytes: Callable[[int], int]  # of one n x n matrix


_ENCODINGS: Mapping[Dtype.ValueType, _Encoding] = {
    tensor_pb2.DTYPE_FLOAT32: _Encoding(_float32, lambda n: 4 * n * n),
    tensor_pb2.DTYPE_UINT8_SQRT: _Encoding(_uint8_sqrt, lambda n: n * n),
    tensor_pb2.DTYPE_UINT8_SQRT_TRIANGLE: _Encoding(
        _uint8_sqrt_triangle, lambda n: n * (n + 1) // 2
    ),
    tensor_pb2.DTYPE_INT32: _Encoding(_int32, lambda n: 4 * n * n),
}


def chosen(
    dtype: Dtype.ValueType, *, among: tuple[Dtype.ValueType, ...], otherwise: Dtype.ValueType
) -> Dtype.ValueType:
    """The encoding asked for. Raises InvalidArgument for one that is not offered."""
    wanted = dtype or otherwise
    if wanted not in among:
        names = ", ".join(tensor_pb2.Dtype.Name(each) for each in among)
        raise InvalidArgument.field("dtype", f"must be one of {names}, or absent")
    return wanted


def matrix_bytes(side: int, dtype: Dtype.ValueType) -> int:
    """What one square matrix takes."""
    return _ENCODINGS[dtype].matrix_bytes(side)


def encode(values: torch.Tensor, dtype: Dtype.ValueType | None = None) -> Tensor:
    """`values` as the message; integers as DTYPE_INT32 and others as DTYPE_FLOAT32 unless told.

    The one-byte encodings are for values from 0 to 1.
    """
    if dtype is None:
        whole = not values.is_floating_point()
        dtype = tensor_pb2.DTYPE_INT32 if whole else tensor_pb2.DTYPE_FLOAT32
    data = _ENCODINGS[dtype].bytes_of(values.contiguous())
    return Tensor(shape=values.shape, dtype=dtype, data=data)
