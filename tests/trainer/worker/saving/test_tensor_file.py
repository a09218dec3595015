"""What the writer writes is what the library would have written, hashed, with rests between."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lab import manifest
from services.trainer.worker.saving.tensor_file import write_tensors


def tensors() -> dict[str, Tensor]:
    torch.manual_seed(4)
    return {
        "wide": torch.randn(3, 700, 500),
        "turned": torch.randn(1_000, 900).t(),
        "step": torch.tensor(5.0),
        "halves": torch.randn(7).to(torch.bfloat16),
        "turned halves": torch.randn(5, 3).to(torch.bfloat16).t(),
        "half": torch.randn(3).half(),
        "whole": torch.arange(4),
        "nothing": torch.zeros(0, 3),
        'a "name" é': torch.ones(1),
    }


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_it_is_the_librarys_file(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    given, rests = tensors(), []
    written = write_tensors(
        tmp_path / "ours", given, metadata=metadata, rest=lambda: rests.append(1)
    )
    contiguous = {name: value.contiguous() for name, value in given.items()}
    save_file(contiguous, tmp_path / "theirs", metadata=metadata)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert all(
        torch.equal(value, given[name]) for name, value in load_file(tmp_path / "ours").items()
    )
    assert written.sha256 == manifest.file_sha256(tmp_path / "theirs")
    assert written.size_bytes == (tmp_path / "theirs").stat().st_size
    assert len(rests) >= written.size_bytes >> 20
