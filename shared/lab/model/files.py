"""Weights in a folder: safetensors only, whole or in several files with an index."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_MAX_JSON_BYTES = 16 << 20  # the index of a model far larger than any here takes less
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
