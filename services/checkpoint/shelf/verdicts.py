"""What the last verification found, beside the manifest: when, and what was wrong. A file that
cannot be read is as good as none: verify again."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from google.protobuf import json_format

from lab.v1.checkpoint_pb2 import Checkpoint

VERDICT: Final = "verdict.json"


def read(folder: Path) -> Checkpoint:
    """`verify_time` and `damage`, nothing else."""
    try:
        found = json_format.Parse((folder / VERDICT).read_text(), Checkpoint())
    except (FileNotFoundError, json_format.ParseError, UnicodeDecodeError):
        return Checkpoint()
    verdict = Checkpoint(damage=found.damage)
    if found.HasField("verify_time"):
        verdict.verify_time.CopyFrom(found.verify_time)
    return verdict


def write(folder: Path, damage: list[str]) -> None:
    """Not synced: a lost verdict costs another look."""
    verdict = Checkpoint(damage=damage)
    verdict.verify_time.GetCurrentTime()
    temporary = folder / f".{VERDICT}.tmp"
    temporary.write_text(json_format.MessageToJson(verdict))
    temporary.replace(folder / VERDICT)
