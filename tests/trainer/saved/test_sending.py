"""What a resume begins from comes whole, also when its stream is cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import LabError
from services.trainer.saved.sending import fetch
from tests.support.checkpoint_service import (
    NAME,
    checkpoint_service,
    checkpoint_stub,
    parts,
    safetensors,
    write,
)
from tests.support.cutting_proxy import cutting_proxy

FILES = {
    "model.safetensors": safetensors(os.urandom(6_000_000)),
    "optim.safetensors": safetensors(os.urandom(6_000_000)),
    "state.json": b"{}",
}


async def test_a_fetch_goes_on_after_cuts(tmp_path: Path) -> None:
    """In the first file and in the second."""
    async with checkpoint_service(tmp_path / "home") as address:
        async with checkpoint_stub(address) as direct:
            written = await write(direct, parts(FILES))
        async with cutting_proxy(address, [3_000_000, 6_000_000]) as proxy:
            async with checkpoint_stub(f"127.0.0.1:{proxy.port}") as stub:
                fetched = await fetch(stub, NAME, tmp_path / "resume")
            assert proxy.cuts == 2, "the connection was not cut"
    assert fetched.digest == written.digest
    found = {path.name: path.read_bytes() for path in (tmp_path / "resume").iterdir()}
    assert found == FILES


async def test_what_is_left_of_a_fetch_before_is_no_part_of_the_next(tmp_path: Path) -> None:
    """One that failed for good is tried again in the same folder."""
    folder = tmp_path / "resume"
    async with checkpoint_service(tmp_path / "home") as address, checkpoint_stub(address) as direct:
        await write(direct, parts(FILES))
        async with cutting_proxy(address, [3_000_000, *[0] * 100]) as proxy:
            async with checkpoint_stub(f"127.0.0.1:{proxy.port}") as stub:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("lab.rpc.reading.CUTS_IN_A_ROW", 1)
                    patch.setattr("lab.rpc.reading.PAUSE_SECS", 0.01)
                    with pytest.raises(LabError):
                        await fetch(stub, NAME, folder)
            assert proxy.cuts > 1, "the connection was not cut"
        assert any(folder.iterdir()), "nothing came before the cut"
        await fetch(direct, NAME, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
