"""Arrays to the bytes of a lab.v1.Tensor."""

from collections.abc import Callable, Mapping

import torch

from lab.errors import InvalidArgument
from lab.v1 import tensor_pb2
from lab.v1.tensor_pb2 import Dtype, Tensor


def _float32(values: torch.Tensor) -> bytes:
    return values.numpy().astype("<f4").tobytes()


def _uint8_sqrt(values: torch.Tensor) -> bytes:
    """One byte q for the weight (q / 255) squared: steps are small near 0, where most weights are,
    and a weight of exactly 0 stays 0."""
    return (values.sqrt() * 255).round().to(torch.uint8).numpy().tobytes()


_ENCODINGS: Mapping[Dtype.ValueType, tuple[int, Callable[[torch.Tensor], bytes]]] = {
    tensor_pb2.DTYPE_FLOAT32: (4, _float32),
    tensor_pb2.DTYPE_UINT8_SQRT: (1, _uint8_sqrt),
}


def chosen(dtype: Dtype.ValueType) -> Dtype.ValueType:
    """The encoding asked for; float32 when none was. Raises InvalidArgument for an unknown one."""
    wanted = dtype or tensor_pb2.DTYPE_FLOAT32
    if wanted not in _ENCODINGS:
        names = ", ".join(tensor_pb2.Dtype.Name(known) for known in _ENCODINGS)
        raise InvalidArgument.field("dtype", f"must be one of {names}, or absent")
    return wanted


def bytes_per_number(dtype: Dtype.ValueType) -> int:
    return _ENCODINGS[dtype][0]


def encode(values: torch.Tensor, dtype: Dtype.ValueType) -> Tensor:
    """`values`, none negative, as the message."""
    data = _ENCODINGS[dtype][1](values.contiguous())
    return Tensor(shape=values.shape, dtype=dtype, data=data)
