"""The --yaml option: a spec in a file, whole or partial, which may name its preset."""

from __future__ import annotations

from pathlib import Path

from lab.errors import InvalidArgument
from lab.spec import RunYaml, parse_run_yaml
from lab.v1.run_spec_pb2 import RunSpec


def read_spec_file(path: Path | None) -> RunYaml:
    """What the file says; without a file nothing."""
    if path is None:
        return RunYaml(preset="", spec=RunSpec())
    try:
        return parse_run_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidArgument.field("yaml", f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument.field("yaml", f"{path} is not a UTF-8 text") from error


def choose_preset(option: str | None, file: RunYaml) -> str:
    """The option wins over the file."""
    if option and Path(option).suffix in (".yaml", ".yml"):
        raise InvalidArgument.field(
            "config", f"is a preset's name; a file is read by --yaml {option}"
        )
    if preset := option or file.preset:
        return preset
    raise InvalidArgument.field(
        "config", "must be given, as in --config nano, or be in the --yaml file as preset: nano"
    )
