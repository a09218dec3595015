"""The presets: complete, named specs in configs/presets, one file each."""

import functools
from pathlib import Path

from lab import folders
from lab.errors import InvalidArgument
from lab.spec.documents import read_document
from lab.spec.parameters import count_parameters, parameter_parts
from lab.spec.texts import spec_of
from lab.v1.trainer_service_pb2 import Preset


def load_presets(folder: Path | None = None) -> dict[str, Preset]:
    """Every preset by name, smallest model first. The answer is the caller's own copy."""
    presets = _read(folder or folders.configs() / "presets")
    copies: dict[str, Preset] = {}
    for preset in presets:
        copies[preset.name] = Preset()
        copies[preset.name].CopyFrom(preset)
    return copies


@functools.cache
def _read(folder: Path) -> tuple[Preset, ...]:
    presets = [_preset(path) for path in sorted(folder.glob("*.yaml"))]
    return tuple(sorted(presets, key=lambda preset: (preset.parameters, preset.name)))


def _preset(path: Path) -> Preset:
    what = f"the preset {path.stem}"
    document = read_document(path.read_text(encoding="utf-8"), what=what)
    description = document.pop("description", None)
    if not isinstance(description, str):
        raise InvalidArgument(f"{what}: needs a description, a sentence on what it is for")
    try:
        spec = spec_of(document)
    except InvalidArgument as error:
        raise InvalidArgument(f"{what}: {error.message}", violations=error.violations) from error
    return Preset(
        name=path.stem,
        description=description,
        spec=spec,
        parameters=count_parameters(spec.model),
        parameter_parts=parameter_parts(spec.model),
    )
