"""`lab checkpoints` from the command line to the files of a real checkpoint service."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lab.model import GPTConfig, GPTModel, load_pretrained, save_pretrained
from tests.shared.cli.conftest import Lab
from tests.support.checkpoint_service import (
    checkpoint_process,
    checkpoint_stub,
    parts,
    safetensors,
    write,
)

pytestmark = pytest.mark.integration

FILES = {"model.safetensors": safetensors(b"weights"), "config.json": b"{}"}

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def saved(lab: Lab, home: Path) -> Iterator[Command]:
    """`saved("list")` is `lab checkpoints list`; nano-1 has checkpoints at 10, 20, 30 and 40."""
    home.mkdir(parents=True)
    with checkpoint_process(home) as (_, address):

        async def fill() -> None:
            async with checkpoint_stub(address) as stub:
                for step in (10, 20, 30, 40):
                    sent = parts(FILES, name=f"runs/nano-1/checkpoints/step-{step:08d}")
                    sent[0].header.step = step
                    await write(stub, sent)

        asyncio.run(fill())
        port = address.rpartition(":")[2]

        def command(*arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
            return lab("checkpoints", *arguments, answer=answer, LAB_CHECKPOINT__PORT=port)

        yield command


def _steps(done: subprocess.CompletedProcess[str]) -> list[int]:
    assert done.returncode == 0, done.stderr
    return [each["step"] for each in json.loads(done.stdout)]


def test_what_holds_weights_only_says_so(lab: Lab, home: Path) -> None:
    home.mkdir(parents=True)
    with checkpoint_process(home) as (_, address):

        async def fill() -> None:
            async with checkpoint_stub(address) as stub:
                for word in ("step", "weights"):
                    await write(stub, parts(FILES, name=f"runs/nano-1/checkpoints/{word}-00000010"))

        asyncio.run(fill())
        port = address.rpartition(":")[2]
        shown = lab("checkpoints", "show", "nano-1@weights-10", LAB_CHECKPOINT__PORT=port)
        assert "no: it holds weights only" in shown.stdout
        full = lab("checkpoints", "show", "nano-1@10", LAB_CHECKPOINT__PORT=port)
        assert "bit for bit" in full.stdout
        listed = lab("checkpoints", "list", LAB_CHECKPOINT__PORT=port).stdout.splitlines()
    assert {"weights-00000010" in line: " weights " in line for line in listed[1:]} == {
        True: True,
        False: False,
    }


def test_keep_delete_and_take_back(saved: Command) -> None:
    assert saved("pin", "nano-1@10").stdout == "pinned nano-1@10\n"
    assert saved("note", "nano-1@10", "the good one").returncode == 0
    assert saved("label", "nano-1@10", "why=talk", "who=me").stdout == "who=me, why=talk\n"
    assert saved("label", "nano-1@10", "who=").stdout == "why=talk\n"
    assert saved("label", "nano-1@10", "who").returncode == 2
    shown = saved("show", "nano-1@10").stdout
    assert "the good one" in shown
    assert "talk" in shown

    refused = saved("delete", "nano-1@10", "--yes")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "is pinned, so it is not deleted; unpin it first" in refused.stderr

    assert saved("delete", "nano-1@20", answer="n\n").returncode == 1
    moved = saved("delete", "nano-1@20", "--yes").stdout
    assert "take it back with: lab checkpoints restore nano-1@20" in moved
    assert _steps(saved("list", "--json")) == [40, 30, 10]
    assert _steps(saved("list", "--trash", "--json")) == [20]
    assert "restored runs/nano-1/checkpoints/step-00000020" in saved("restore", "nano-1@20").stdout
    assert saved("restore", "nano-1@20").returncode == 2

    dry = saved("retention", "nano-1", "--last", "2", "--no-best").stdout
    assert "1 checkpoint, 77 B, would go to the trash; do it with --apply" in dry
    assert _steps(saved("list", "nano-1", "--json")) == [40, 30, 20, 10]
    assert saved("retention", "nano-1", "--last", "1").returncode == 2
    assert "moved to the trash" in saved("retention", "nano-1", "--no-best", "--apply").stdout
    assert _steps(saved("list", "nano-1", "--json")) == [40, 30, 10]
    assert json.loads(saved("disk", "--json").stdout)["trashed"] == 1

    assert saved("unpin", "nano-1@10").returncode == 0
    gone = saved("delete", "nano-1@10", "--yes", "--permanently")
    assert gone.stdout == "deleted nano-1@10\n"
    assert saved("restore", "nano-1@10").returncode == 2


def test_out_and_in(saved: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert saved("export", "nano-1@40", str(out)).returncode == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == FILES
    assert saved("export", "nano-1@40", str(out)).returncode == 2

    refused = saved("import", str(out))
    assert refused.returncode == 2
    assert "config.json says model_type None; only gpt2 is taken" in refused.stderr

    gpt2 = tmp_path / "tiny-gpt2"
    gpt2.mkdir()
    torch.manual_seed(1)
    save_pretrained(GPTModel(GPTConfig(layers=1, width=4, heads=1, context=8)), gpt2)
    came = saved("import", str(gpt2))
    assert (
        came.stdout
        == "imports/tiny-gpt2 is there; try it with: lab generate imports/tiny-gpt2 --prompt TEXT\n"
    )
    assert saved("verify", "imports/tiny-gpt2").returncode == 0
    one = tmp_path / "one.safetensors"
    assert saved("export", "imports/tiny-gpt2", str(one)).returncode == 0
    assert one.read_bytes() == (gpt2 / "model.safetensors").read_bytes()


def test_the_books_own_weights_come_in(saved: Command, tmp_path: Path) -> None:
    from llms_from_scratch.ch04 import GPTModel as BooksModel

    torch.manual_seed(1)
    shape = {"vocab_size": 50_257, "context_length": 8, "emb_dim": 8, "n_heads": 2, "n_layers": 1}
    theirs = BooksModel(shape | {"drop_rate": 0.0, "qkv_bias": False}).eval()
    mine = tmp_path / "mine.safetensors"
    save_file(theirs.state_dict(), mine)

    refused = saved("import", str(mine))
    assert refused.returncode == 2
    assert "does not tell the number of heads; give heads" in refused.stderr
    assert saved("import", str(mine), "--heads", "2").stdout.startswith("imports/mine is there")
    out = tmp_path / "out"
    assert saved("export", "imports/mine", str(out)).returncode == 0
    ids = torch.tensor([[1, 2, 3, 50_000]])
    with torch.no_grad():
        ours = load_pretrained(out)(ids)
        torch.testing.assert_close(getattr(ours, "logits", ours), theirs(ids), rtol=1e-5, atol=1e-5)

    one = saved("import", str(out / "model.safetensors"))
    assert (one.returncode, "give the folder" in one.stderr) == (2, True)
    pickled = tmp_path / "model.pth"
    pickled.write_bytes(b"PK\x03\x04")
    refused = saved("import", str(pickled))
    assert (refused.returncode, "is pickled" in refused.stderr) == (2, True)
    disguised = tmp_path / "model.safetensors"
    disguised.write_bytes(pickled.read_bytes())
    refused = saved("import", str(disguised))
    assert (refused.returncode, "is no safetensors file" in refused.stderr) == (2, True)
