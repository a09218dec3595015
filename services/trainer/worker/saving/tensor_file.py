"""A safetensors file, written piece by piece straight from the tensors and hashed on the way.

The library's own writer makes two copies of everything, and holds Python's lock while it does, so
training would wait for it. The format needs no more than this: eight bytes with the length of the
header, a header in JSON that says where each tensor begins and ends, and the bytes of the tensors.
What comes out is byte for byte what the library would have written.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.v1.checkpoint_pb2 import CheckpointFile

_PIECE_BYTES = 1 << 20  # about a millisecond of work
_ALIGNED_BYTES = 8
_NAMES = {  # numbers of more bytes first: each then begins at a multiple of its size
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
}


def write_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    metadata: Mapping[str, str] | None = None,
    rest: Callable[[], None] = lambda: None,
) -> CheckpointFile:
    """On disk when this returns. `rest` is called between two pieces.

    A tensor may be a view of another, as a transposed one: it is put in order piece by piece.
    """
    kinds = list(_NAMES)
    order = sorted(tensors, key=lambda name: (kinds.index(tensors[name].dtype), name))
    return write_file(
        path, _pieces(_header(order, tensors, metadata or {}), order, tensors), rest=rest
    )


def write_file(
    path: Path, pieces: Iterator[memoryview], *, rest: Callable[[], None] = lambda: None
) -> CheckpointFile:
    """On disk when this returns; answers its name, size and SHA-256."""
    digest, size_bytes = hashlib.sha256(), 0
    with path.open("xb", buffering=0) as file:
        for piece in pieces:
            digest.update(piece)  # this and the write leave Python's lock to the training
            while piece:
                written = file.write(piece)
                size_bytes, piece = size_bytes + written, piece[written:]
            rest()
        os.fsync(file.fileno())
    return CheckpointFile(name=path.name, size_bytes=size_bytes, sha256=digest.hexdigest())


def _header(order: list[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    begin = 0
    for name in order:
        end = begin + tensors[name].nbytes
        entries[name] = {
            "dtype": _NAMES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNED_BYTES)
    return len(text).to_bytes(8, "little") + text


def _pieces(header: bytes, order: list[str], tensors: Mapping[str, Tensor]) -> Iterator[memoryview]:
    yield memoryview(header)
    for name in order:
        tensor = tensors[name].detach().cpu()
        if tensor.dtype is torch.bfloat16:  # numpy has none: the same bytes under another name
            tensor = tensor.view(torch.int16)
        yield from _of_array(tensor.numpy())


def _of_array(array: np.ndarray[Any, Any]) -> Iterator[memoryview]:
    """With numpy and not with torch, which would start threads that training needs more."""
    if array.flags.c_contiguous:
        data = _bytes(array)
        for offset in range(0, len(data), _PIECE_BYTES):
            yield data[offset : offset + _PIECE_BYTES]
        return
    rows = max(1, _PIECE_BYTES // (array.nbytes // len(array)))
    for row in range(0, len(array), rows):
        yield _bytes(np.ascontiguousarray(array[row : row + rows]))


def _bytes(array: np.ndarray[Any, Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data
