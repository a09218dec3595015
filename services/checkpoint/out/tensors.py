"""One tensor of a checkpoint, or some rows of it, without reading the rest of the file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from lab.errors import Damaged, InvalidArgument, NotFound
from lab.limits import MAX_CHUNK_BYTES
from lab.manifest import WEIGHTS
from lab.v1.checkpoint_service_pb2 import ReadTensorRequest, TensorHeader
from services.checkpoint import safetensors_header
from services.checkpoint.out.reading import open_files
from services.checkpoint.safetensors_header import Header
from services.checkpoint.shelf.catalog import Catalog
from services.checkpoint.shelf.layout import Layout

_SHOWN = 5


@dataclass
class TensorReading:
    """An open file, at the first byte that is wanted."""

    header: TensorHeader
    _source: BinaryIO
    _left_bytes: int

    def next_chunk(self) -> bytes:
        """The next piece; nothing after the last. Raises Damaged when the file was cut short."""
        data = self._source.read(min(MAX_CHUNK_BYTES, self._left_bytes))
        if not data and self._left_bytes:
            raise Damaged("the file ended before the tensor; verify the checkpoint")
        self._left_bytes -= len(data)
        return data

    def close(self) -> None:
        self._source.close()


def open_tensor(layout: Layout, catalog: Catalog, request: ReadTensorRequest) -> TensorReading:
    """Raises NotFound for an unknown tensor, InvalidArgument for rows it does not have."""
    file = request.file or WEIGHTS
    if not file.endswith(".safetensors"):
        raise InvalidArgument.field("file", "must be a safetensors file")
    reading = open_files(layout, catalog, name=request.name, files=[file])
    source = reading.only_file()
    try:
        known = _header(source, file)
        entry = known.entries.get(request.tensor)
        if entry is None or request.tensor == "__metadata__":
            raise _unknown(request, file, list(known.entries))
        begin, end = entry["data_offsets"]
        shape = _shape(entry.get("shape"))
        header = _rows(request, shape)
        header.dtype = str(entry.get("dtype"))
        row_bytes = (end - begin) // max(shape[0] if shape else 1, 1)
        source.seek(known.data_begin + begin + header.row_from * row_bytes)
        return TensorReading(header, source, (header.row_to - header.row_from) * row_bytes)
    except BaseException:
        source.close()
        raise


def _header(source: BinaryIO, file: str) -> Header:
    try:
        return safetensors_header.read(source, file)
    except InvalidArgument as error:  # it was one when it came in
        raise Damaged(f"{error.message}; verify the checkpoint") from error


def _rows(request: ReadTensorRequest, shape: Sequence[int]) -> TensorHeader:
    rows = shape[0] if shape else 1  # a single number is one row
    row_to = request.row_to or rows
    if not 0 <= request.row_from <= row_to <= rows:
        raise InvalidArgument.field(
            "row_to", f"must be rows from 0 to {rows}, but is {request.row_from} to {row_to}"
        )
    return TensorHeader(shape=shape, row_from=request.row_from, row_to=row_to)


def _shape(value: object) -> list[int]:
    if not isinstance(value, list) or not all(type(each) is int and each >= 0 for each in value):
        raise Damaged("the tensor's shape cannot be read; verify the checkpoint")
    if math.prod(value) >= 1 << 63:
        raise Damaged("the tensor's shape is larger than any file; verify the checkpoint")
    return value


def _unknown(request: ReadTensorRequest, file: str, names: list[str]) -> NotFound:
    shown = ", ".join(sorted(name for name in names if name != "__metadata__")[:_SHOWN])
    return NotFound(
        f"{request.name} has no tensor called {request.tensor[:80]!r} in {file}; it has {shown} …",
        metadata={"name": request.name},
    )
