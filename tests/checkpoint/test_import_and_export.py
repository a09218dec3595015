"""Weights go out as Hugging Face has them and come in only when they are what they say."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from safetensors.torch import load_file, save_file

from lab.client.checkpoints import Checkpoints
from lab.errors import AlreadyExists, Code, Damaged, LabError
from lab.model import GPTConfig, GPTModel, load_pretrained, save_pretrained
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_WEIGHTS
from services.checkpoint.intake.finite import all_finite
from tests.support.checkpoint_service import parts, safetensors, stored, write

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

SHAPE = GPTConfig(layers=2, width=8, heads=2, context=16)
Tensors = dict[str, torch.Tensor]
CONFIG, WEIGHTS = "config.json", "model.safetensors"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder as `save_pretrained` leaves it, as far as it matters."""
    folder = tmp_path / "elsewhere" / "tiny-gpt2"
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    save_pretrained(GPTModel(SHAPE), folder)
    return folder


def _change(folder: Path, change: Callable[[Tensors], Any]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


def _configure(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / CONFIG).read_text()) | fields
    (folder / CONFIG).write_text(json.dumps(config))


async def test_in_and_out_again_the_model_is_the_same(
    stub: Stub, foreign: Path, tmp_path: Path
) -> None:
    from transformers import GPT2LMHeadModel  # slow to import, and only needed here

    saved = Checkpoints(stub)
    came = await saved.bring_in(foreign, "tiny")
    assert (came.name, came.kind) == ("runs/imports/checkpoints/tiny", CHECKPOINT_KIND_WEIGHTS)
    assert await saved.get("imports/tiny") == came
    out = tmp_path / "out"
    await saved.export("imports/tiny", out)
    assert sorted(path.name for path in out.iterdir()) == [CONFIG, WEIGHTS]
    tokens = torch.tensor([[1, 2, 3, 50_000]])
    with torch.no_grad():
        ours = load_pretrained(foreign)(tokens)
        theirs = GPT2LMHeadModel.from_pretrained(out)(tokens).logits
    torch.testing.assert_close(getattr(ours, "logits", ours), theirs, rtol=1e-5, atol=1e-5)
    one = tmp_path / "one.safetensors"
    await saved.export("imports/tiny", one)
    assert one.read_bytes() == (foreign / WEIGHTS).read_bytes()


def _old_names(tensors: Tensors) -> None:
    """As GPT-2's own file has them: no prefix, the mask as a tensor, the head repeated."""
    for name in list(tensors):
        tensors[name.removeprefix("transformer.")] = tensors.pop(name)
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 16, 16)
    tensors["lm_head.weight"] = tensors["wte.weight"].clone()


def _halves(dtype: torch.dtype) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        for name in tensors:
            tensors[name] = tensors[name].to(dtype)

    return change


@pytest.mark.parametrize(
    "change", [_old_names, _halves(torch.float16), _halves(torch.bfloat16)], ids=str
)
async def test_other_ways_to_write_the_same_are_taken(
    stub: Stub, foreign: Path, change: Callable[[Tensors], None]
) -> None:
    _change(foreign, change)
    await Checkpoints(stub).bring_in(foreign, "tiny")


def _put(name: str, value: torch.Tensor) -> Callable[[Tensors], None]:
    return lambda tensors: tensors.__setitem__(name, value)


WTE = "transformer.wte.weight"
BAD_WEIGHTS: dict[str, tuple[Callable[[Tensors], Any], str]] = {
    "missing": (lambda tensors: tensors.pop(WTE), f"{WTE} is missing"),
    "unexpected": (_put("lora.weight", torch.ones(1)), "transformer.lora.weight has no place"),
    "another shape": (
        _put("transformer.h.1.attn.c_attn.weight", torch.ones(24, 8)),
        r"h\.1\.attn\.c_attn\.weight has shape \[24, 8\] instead of \[8, 24\]",
    ),
    "whole numbers": (
        _put("transformer.ln_f.bias", torch.ones(8, dtype=torch.int64)),
        "ln_f.bias holds I64; F32, BF16, F16 are taken",
    ),
    "NaN": (
        _put("transformer.ln_f.bias", torch.tensor([0.0] * 7 + [math.nan])),
        "ln_f.bias holds NaN or infinity",
    ),
    "infinity in half": (
        _put("transformer.ln_f.bias", torch.tensor([-math.inf] + [0.0] * 7).half()),
        "ln_f.bias holds NaN or infinity",
    ),
    "another model": (lambda tensors: tensors.clear(), "ln_1.weight is missing; .*; and 23 more"),
}


@pytest.mark.parametrize(("change", "why"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
async def test_weights_that_do_not_fit_are_refused(
    stub: Stub, foreign: Path, tmp_path: Path, change: Callable[[Tensors], Any], why: str
) -> None:
    _change(foreign, change)
    with pytest.raises(LabError, match=why) as caught:
        await Checkpoints(stub).bring_in(foreign, "tiny")
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert len(caught.value.message) < 1000
    assert not [path for path in stored(tmp_path) if path.startswith("checkpoints/")]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"model_type": "llama"}, "says model_type llama; only gpt2"),
        ({"activation_function": "relu"}, "only gelu_new"),
        ({"n_layer": 3}, r"h\.2\.ln_1\.weight is missing"),
        ({"n_layer": 10**9}, "n_layer as a whole number from 1 to 1024"),
        ({"n_layer": True}, "n_layer as a whole number"),
        ({"n_embd": "8"}, "n_embd as a whole number"),
        ({"n_head": 3}, "3 heads, which do not divide n_embd 8"),
        ({"n_inner": 9}, "no multiple of n_embd 8"),
        ({"vocab_size": 100}, "the lab's tokenizer has 50257 tokens"),
        ({"tie_word_embeddings": False}, r"lm_head\.weight is missing"),
    ],
)
async def test_a_config_that_does_not_fit_is_refused(
    stub: Stub, foreign: Path, fields: dict[str, Any], why: str
) -> None:
    _configure(foreign, **fields)
    with pytest.raises(LabError, match=why) as caught:
        await Checkpoints(stub).bring_in(foreign, "tiny")
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("config", [b"", b"[]", b"{", b"[" * 100_000, b'{"model_type": NaN}'])
async def test_a_config_that_is_none_is_refused(stub: Stub, foreign: Path, config: bytes) -> None:
    (foreign / CONFIG).write_bytes(config)
    with pytest.raises(LabError) as caught:
        await Checkpoints(stub).bring_in(foreign, "tiny")
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        (b"PK\x03\x04\x00\x00\x08\x08", "a zip archive, as torch.save"),
        (b"\x80\x02}q\x00X\x06\x00\x00", "a pickle"),
        (b"GGUF\x03\x00\x00\x00", "a GGUF file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (((1 << 20) + 1).to_bytes(8, "little"), "its header claims 1048577 bytes"),
    ],
)
async def test_what_only_is_called_safetensors_is_named(
    stub: Stub, foreign: Path, begins: bytes, said: str
) -> None:
    (foreign / WEIGHTS).write_bytes(begins + bytes(2 << 20))
    with pytest.raises(LabError, match=said):
        await Checkpoints(stub).bring_in(foreign, "tiny")


async def test_an_import_is_weights_and_config_and_nothing_else(stub: Stub) -> None:
    sent = parts(
        {CONFIG: b"{}", WEIGHTS: safetensors(b"x"), "optim.safetensors": safetensors(b"x")},
        name="runs/imports/checkpoints/tiny",
    )
    with pytest.raises(LabError, match=r"an import is config\.json and model\.safetensors"):
        await write(stub, sent)


async def test_other_kinds_of_folder_are_refused_with_what_to_do(
    stub: Stub, tmp_path: Path
) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(LabError, match="only safetensors are taken"):
        await Checkpoints(stub).bring_in(tmp_path, "tiny")
    with pytest.raises(LabError, match="there is no folder"):
        await Checkpoints(stub).bring_in(tmp_path / "nowhere", "tiny")


async def test_an_export_is_whole_or_not_there(stub: Stub, tmp_path: Path) -> None:
    await write(stub, parts({CONFIG: b"{}", WEIGHTS: safetensors(bytes(3_000_000))}))
    saved = Checkpoints(stub)
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(AlreadyExists, match="choose another place"):
        await saved.export("nano-1@10", place)
    with pytest.raises(LabError, match="there is no folder"):
        await saved.export("nano-1@10", tmp_path / "a" / "b")
    path = tmp_path / "checkpoints" / "nano-1" / "step-00000010" / WEIGHTS
    spoilt = bytearray(path.read_bytes())
    spoilt[-1] ^= 1
    path.write_bytes(spoilt)
    for destination in (place / "folder", place / "one.safetensors"):
        with pytest.raises(Damaged, match="is not as it was saved"):
            await saved.export("nano-1@10", destination)
    assert list(place.iterdir()) == []


@given(some.lists(some.floats(width=32, max_value=2.0**126, min_value=-(2.0**126)), max_size=30))
def test_finite_is_what_arithmetic_says(tmp_path_factory: Any, numbers: list[float]) -> None:
    path = tmp_path_factory.mktemp("numbers") / "f32"
    path.write_bytes(b"\xff" * 8 + struct.pack(f"<{len(numbers)}f", *numbers) + b"\xff" * 8)
    end = 8 + 4 * len(numbers)
    assert all_finite(path, dtype="F32", begin=8, end=end)
    for bad in (math.nan, math.inf, -math.inf):
        path.write_bytes(b"\0" * 8 + struct.pack(f"<{len(numbers) + 1}f", *numbers, bad))
        assert not all_finite(path, dtype="F32", begin=8, end=end + 4)
        assert all_finite(path, dtype="F32", begin=0, end=8)
