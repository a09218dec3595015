"""Weights in a folder: safetensors only, whole or in several files with an index."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_MAX_JSON_BYTES = 16 << 20  # the index of a model far larger than any here takes less
_LENGTH_BYTES = 8  # a file begins with the length of its header
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
SAFELY = (
    "pickled files can run any program when opened and are never read here; write it again with"
)


def read_tensors(folder: Path, file: str) -> dict[str, Tensor]:
    """All tensors of `file`, or of the files that `file`.index.json lists; raises ValueError."""
    index = folder / f"{file}.index.json"
    if (folder / file).is_file() or not index.is_file():
        return read_file(folder / file)
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ValueError(f"{index.name} has no weight_map from tensors to files")
    tensors: dict[str, Tensor] = {}
    for part in sorted({str(place) for place in places.values()}):
        if Path(part).name != part or not part.endswith(".safetensors"):
            raise ValueError(
                f'{index.name} names "{part}", which is no safetensors file of its folder'
            )
        tensors |= read_file(folder / part)
    if lost := sorted(places.keys() - tensors.keys()):
        raise ValueError(
            f"{index.name} lists {lost[0]}, but the files lack it ({len(lost)} in all)"
        )
    return tensors


def read_file(path: Path) -> dict[str, Tensor]:
    """All tensors of one file; raises ValueError with what to do when it is a pickle."""
    if not path.is_file():
        pickles = sorted(each.name for each in path.parent.glob("*") if each.suffix in _PICKLES)
        if pickles:
            raise ValueError(
                f"there is no {path.name}, but {pickles[0]}: {SAFELY} transformers' "
                "save_pretrained(folder) or safetensors.torch.save_file"
            )
        raise ValueError(f"there is no {path.name} in the folder")
    if path.suffix in _PICKLES:
        raise ValueError(f"{path.name}: {SAFELY} safetensors.torch.save_file(state_dict, file)")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a whole safetensors file: {error}") from error


def tensors_in(file: Tensor) -> dict[str, Tensor]:
    """All tensors of a safetensors file that lies in memory, (bytes,) of uint8; raises ValueError.

    They are views of it. The library would copy everything, which takes as long as reading the
    numbers twice.
    """
    entries, data = _header(file)
    return {name: _tensor_in(data, entry, name) for name, entry in entries.items()}


def data_begin(first_bytes: bytes) -> int:
    """Where the numbers begin in a safetensors file that begins so."""
    return _LENGTH_BYTES + int.from_bytes(first_bytes[:_LENGTH_BYTES], "little")


def _header(file: Tensor) -> tuple[dict[str, Any], Tensor]:
    """What the file says of its tensors, and the bytes of them."""
    begin = data_begin(bytes(file[:_LENGTH_BYTES].tolist()))
    if not _LENGTH_BYTES < begin <= min(len(file), _MAX_JSON_BYTES):
        raise ValueError(f"the weights are no whole safetensors file: their header ends at {begin}")
    try:
        header = json.loads(file[_LENGTH_BYTES:begin].numpy().tobytes())
    except (ValueError, RecursionError) as error:
        raise ValueError("the weights are no safetensors file: the header is no JSON") from error
    if not isinstance(header, dict):
        raise ValueError("the weights are no safetensors file: the header is no JSON object")
    header.pop("__metadata__", None)
    return header, file[begin:]


def _tensor_in(data: Tensor, entry: Any, name: str) -> Tensor:
    try:
        dtype, shape = _TYPES[entry["dtype"]], [int(size) for size in entry["shape"]]
        begin, end = (int(offset) for offset in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: the weights do not say what it is") from error
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or not 0 <= begin <= end <= len(data) or end - begin != size:
        raise ValueError(f"{name}: the weights hold other bytes than its shape {shape} takes")
    its = data[begin:end]
    if its.storage_offset() % dtype.itemsize:  # numbers begin where a processor can read them
        its = its.clone()
    return its.view(dtype).view(shape)


def read_json(path: Path) -> dict[str, Any]:
    """An object; raises ValueError."""
    if not path.is_file():
        raise ValueError(f"there is no {path.name} in the folder")
    if path.stat().st_size > _MAX_JSON_BYTES:
        raise ValueError(f"{path.name} is larger than {_MAX_JSON_BYTES >> 20} MiB")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} is not a JSON object")
    return found
