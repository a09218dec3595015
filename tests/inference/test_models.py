"""Models come from the checkpoint service by digest, verified, and only so many are kept."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from lab.errors import Code, LabError
from lab.manifest import CONFIG, WEIGHTS
from lab.model import GPTConfig, GPTModel
from lab.rpc.client import channel
from lab.rpc.health import is_ready
from lab.text import Tokenizer
from lab.v1 import inference_service_pb2_grpc
from lab.v1.analysis_service_pb2 import AnalyseRequest, TokenQuestion
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import DeleteCheckpointRequest
from lab.v1.inference_service_pb2 import (
    GenerateRequest,
    ListModelsRequest,
    LoadModelRequest,
    UnloadModelRequest,
)
from services.inference.generation.engine import Engine
from services.inference.generation.prepared import Prepared, prepare
from services.inference.models.arriving import Fetched
from services.inference.models.fetch import Fetcher, Progress
from tests.support.checkpoint_service import NAME, PEEK, checkpoint_service, parts, write
from tests.support.cutting_proxy import cutting_proxy
from tests.support.inference_service import (
    add_vocabulary,
    inference_service,
    model_files,
    tiny_model,
)
from tests.support.waiting import until

if TYPE_CHECKING:
    from lab.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from tests.inference.conftest import SmallLab


def _checkpoint(number: int) -> str:
    return f"runs/nano-1/checkpoints/step-{number:08d}"


async def _names(lab: SmallLab) -> list[str]:
    return [model.name for model in (await lab.inference.ListModels(ListModelsRequest())).models]


async def test_a_loaded_model_is_described(lab: SmallLab, model: GPTModel) -> None:
    await lab.save(model)
    loaded = await lab.load()
    assert loaded.name == f"models/m{loaded.digest[:12]}"
    assert (loaded.source, loaded.step) == (NAME, 10)
    assert loaded.parameters == sum(p.numel() for p in model.parameters())
    assert (loaded.spec.layers, loaded.spec.width, loaded.spec.heads) == (2, 32, 4)
    assert (loaded.spec.context, loaded.spec.vocab_size) == (64, 50_257)


async def test_a_model_whose_stream_is_cut_arrives_all_the_same(
    lab: SmallLab, model: GPTModel
) -> None:
    """Its weights are 6.5 MB; the connection ends after 2, and the next one after 2 more."""
    files = await lab.save(model)
    async with (
        cutting_proxy(lab.checkpoint_address, [2_000_000, 2_000_000]) as proxy,
        channel(f"127.0.0.1:{proxy.port}", peer="checkpoint", caller="inference") as cut,
    ):
        fetcher = Fetcher(cut, max_model_bytes=1 << 30)
        fetched = await fetcher.fetch(
            await fetcher.look_up(NAME), progress := Progress(NAME, total_bytes=0)
        )
        assert proxy.cuts == 2, "the connection was not cut"
    assert fetched.weights.numpy().tobytes() == files[WEIGHTS]
    assert fetched.shape == files[CONFIG]
    assert progress.received_bytes == len(files[WEIGHTS])  # none of them came twice


async def test_how_far_a_model_is_on_its_way_is_told(
    lab: SmallLab, model: GPTModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len((await lab.save(model))["model.safetensors"])
    arrived, go_on = asyncio.Event(), asyncio.Event()
    fetch = Fetcher.fetch

    async def halted(
        self: Fetcher, checkpoint: Checkpoint, progress: Progress | None = None
    ) -> Fetched:
        fetched = await fetch(self, checkpoint, progress)
        arrived.set()
        await go_on.wait()
        return fetched

    monkeypatch.setattr(Fetcher, "fetch", halted)
    loading = asyncio.create_task(lab.load())
    async with asyncio.timeout(20):
        await arrived.wait()
    (told,) = (await lab.inference.ListModels(ListModelsRequest())).loading
    assert (told.source, told.received_bytes, told.total_bytes) == (NAME, size, size)
    go_on.set()
    await loading
    assert list((await lab.inference.ListModels(ListModelsRequest())).loading) == []


async def test_a_vocabulary_that_was_rounded_up_is_taken(lab: SmallLab) -> None:
    await lab.save(
        tiny_model(GPTConfig(layers=1, width=32, heads=4, context=64, vocab_size=50_304))
    )
    loaded = await lab.load()
    assert loaded.spec.vocab_size == 50_304
    request = AnalyseRequest(model=loaded.name, text="a b", tokens=TokenQuestion(top=20))
    answer = await lab.analysis.Analyse(request)
    assert max(token.id for token in answer.words) < 50_257


async def test_equal_weights_are_one_model(lab: SmallLab, model: GPTModel) -> None:
    await lab.save(model)
    await lab.save(model, PEEK)
    first, second = await lab.load(), await lab.load(PEEK)
    assert first.name == second.name
    assert second.source == PEEK
    assert await _names(lab) == [first.name]


async def test_a_newer_peek_is_another_model(lab: SmallLab) -> None:
    await lab.save(tiny_model(seed=1), PEEK)
    first = await lab.load(PEEK)
    await lab.save(tiny_model(seed=2), PEEK)
    second = await lab.load(PEEK)
    assert first.name != second.name
    assert await _names(lab) == [second.name, first.name]


async def test_the_least_recently_used_model_is_let_go(lab: SmallLab) -> None:
    loaded = []
    for number in (1, 2):
        await lab.save(tiny_model(seed=number), _checkpoint(number))
        loaded.append((await lab.load(_checkpoint(number))).name)
    request = GenerateRequest(model=loaded[0], prompt="a", max_tokens=1)
    assert [answer async for answer in lab.inference.Generate(request)]
    await lab.save(tiny_model(seed=3), _checkpoint(3))
    third = (await lab.load(_checkpoint(3))).name
    assert await _names(lab) == [third, loaded[0]]  # two are kept in these tests


async def test_unload_forgets_it(lab: SmallLab, model: GPTModel) -> None:
    await lab.save(model)
    name = (await lab.load()).name
    await lab.inference.UnloadModel(UnloadModelRequest(name=name))
    assert await _names(lab) == []
    with pytest.raises(LabError, match="is not in memory") as caught:
        await lab.inference.UnloadModel(UnloadModelRequest(name=name))
    assert caught.value.code is Code.NOT_FOUND


async def test_a_model_outlives_its_checkpoint(lab: SmallLab, model: GPTModel) -> None:
    await lab.save(model)
    loaded = await lab.load()
    await lab.checkpoints.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    request = GenerateRequest(model=loaded.name, prompt="a", max_tokens=1)
    assert len([answer async for answer in lab.inference.Generate(request)]) == 2


async def test_an_unknown_source_is_named(lab: SmallLab) -> None:
    with pytest.raises(LabError, match=f"there is no {NAME}") as caught:
        await lab.load()
    assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(LabError, match="must have the form") as caught:
        await lab.load("models/../x")
    assert caught.value.code is Code.INVALID_ARGUMENT


async def test_a_damaged_checkpoint_is_refused_with_the_reason(
    lab: SmallLab, model: GPTModel
) -> None:
    await lab.save(model)
    path = lab.home / "checkpoints" / "nano-1" / "step-00000010" / "model.safetensors"
    spoilt = bytearray(path.read_bytes())
    spoilt[-1] ^= 1
    path.write_bytes(spoilt)
    with pytest.raises(LabError, match=r"model\.safetensors should have SHA-256") as caught:
        await lab.load()
    assert caught.value.code is Code.DATA_LOSS
    assert await _names(lab) == []


async def test_weights_of_nan_are_refused(lab: SmallLab, model: GPTModel) -> None:
    with torch.no_grad():
        model.head_weight[5, 5] = float("nan")
    await lab.save(model)
    with pytest.raises(LabError, match=r"transformer\.wte\.weight holds NaN"):
        await lab.load()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_layer": 1_000_000_000}, "parameters in"),
        ({"n_layer": 3}, "hold 2 blocks, but n_layer is 3"),
        ({"n_head": 0}, "n_head is 0, not a size"),
        ({"n_embd": -32}, "cannot be loaded"),
        ({"vocab_size": 52_000}, "its vocabulary has 52000 tokens"),
        ({"model_type": "llama"}, "only gpt2 can be loaded"),
        ({"n_positions": None}, "cannot be loaded"),
    ],
)
async def test_a_shape_that_does_not_fit_is_refused(
    lab: SmallLab, model: GPTModel, change: dict[str, object], reason: str
) -> None:
    files = model_files(model, lab.home / "written" / "odd")
    files["config.json"] = json.dumps(json.loads(files["config.json"]) | change).encode()
    await write(lab.checkpoints, parts(files))
    with pytest.raises(LabError, match=reason) as caught:
        await lab.load()
    assert caught.value.code is Code.DATA_LOSS
    assert str(lab.home) not in caught.value.message


async def test_a_checkpoint_without_weights_is_no_model(lab: SmallLab) -> None:
    await write(lab.checkpoints, parts({"config.json": b"{}"}))
    with pytest.raises(LabError, match=r"has no model\.safetensors"):
        await lab.load()


async def test_a_model_too_large_is_refused_before_its_bytes(
    lab: SmallLab, model: GPTModel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    size = len((await lab.save(model))["model.safetensors"])
    home = tmp_path_factory.mktemp("small")
    async with (
        inference_service(home, lab.checkpoint_address, max_models_bytes=size - 1) as address,
        channel(address, peer="inference", caller="client") as open_channel,
    ):
        stub = inference_service_pb2_grpc.InferenceServiceStub(open_channel)
        with pytest.raises(LabError, match=f"models of at most {size - 1} are loaded") as caught:
            await stub.LoadModel(LoadModelRequest(source=NAME))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.metadata["requested"] == str(size)


def _bytes(model: GPTModel) -> tuple[int, int]:
    """Of its weights, and of the copies that writing reads."""
    copies = prepare(model, vocab_size=Tokenizer.vocab_size).copies_bytes
    return sum(parameter.nbytes for parameter in model.parameters()), copies


async def _text(stub: InferenceServiceAsyncStub, name: str, count: int = 1) -> int:
    request = GenerateRequest(model=name, prompt="a", max_tokens=count)
    return len([answer async for answer in stub.Generate(request)])


async def test_copies_that_writing_reads_count_as_memory_of_models(
    lab: SmallLab, vocabulary: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    weights, copies = _bytes(tiny_model())
    assert copies > weights / 10  # there are some, so that the test is one
    home = tmp_path_factory.mktemp("small")
    add_vocabulary(home, vocabulary)
    limit = 2 * weights + copies + 65_536  # a file is a little more than its weights
    async with (
        inference_service(home, lab.checkpoint_address, max_models_bytes=limit) as address,
        channel(address, peer="inference", caller="client") as open_channel,
    ):
        stub = inference_service_pb2_grpc.InferenceServiceStub(open_channel)

        async def load(number: int) -> str:
            await lab.save(tiny_model(seed=number), _checkpoint(number))
            request = LoadModelRequest(source=_checkpoint(number))
            return (await stub.LoadModel(request)).model.name

        async def there() -> list[str]:
            return [each.name for each in (await stub.ListModels(ListModelsRequest())).models]

        first, second = await load(1), await load(2)
        assert await _text(stub, first) == 2
        assert await there() == [first, second]  # two networks and one set of copies fit
        assert await _text(stub, second) == 2  # and with a second set they do not
        assert await there() == [second]
        third = await load(3)
        assert await there() == [third, second]
        await _text(stub, third)
        assert await there() == [third]


async def test_a_model_let_go_counts_while_a_text_is_written_with_it(
    lab: SmallLab,
    vocabulary: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on, write_round = threading.Event(), Engine._round

    def halted(self: Engine, model: Prepared) -> None:
        write_round(self, model)
        go_on.wait(60)

    monkeypatch.setattr(Engine, "_round", halted)
    weights, copies = _bytes(tiny_model())
    home = tmp_path_factory.mktemp("small")
    add_vocabulary(home, vocabulary)
    limit = 2 * weights + copies - 1
    async with (
        inference_service(home, lab.checkpoint_address, max_models_bytes=limit) as address,
        channel(address, peer="inference", caller="client") as open_channel,
    ):
        stub = inference_service_pb2_grpc.InferenceServiceStub(open_channel)
        await lab.save(tiny_model(seed=1), _checkpoint(1))
        await lab.save(tiny_model(seed=2), _checkpoint(2))
        old = (await stub.LoadModel(LoadModelRequest(source=_checkpoint(1)))).model.name
        call = stub.Generate(GenerateRequest(model=old, prompt="a", max_tokens=60))
        await anext(aiter(call))
        with pytest.raises(LabError, match="wait for texts and questions under way") as caught:
            await stub.LoadModel(LoadModelRequest(source=_checkpoint(2)))
        assert caught.value.metadata["limit"] == str(limit)
        go_on.set()
        call.cancel()

        async def loads() -> bool:
            try:
                await stub.LoadModel(LoadModelRequest(source=_checkpoint(2)))
            except LabError:
                return False
            return True

        await until(loads)


async def test_a_model_whose_copies_never_fit_is_refused_with_the_sizes(
    lab: SmallLab, vocabulary: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    weights, copies = _bytes(tiny_model())
    home = tmp_path_factory.mktemp("small")
    add_vocabulary(home, vocabulary)
    limit = weights + copies - 1
    async with (
        inference_service(home, lab.checkpoint_address, max_models_bytes=limit) as address,
        channel(address, peer="inference", caller="client") as open_channel,
    ):
        stub = inference_service_pb2_grpc.InferenceServiceStub(open_channel)
        await lab.save(tiny_model(), _checkpoint(1))
        name = (await stub.LoadModel(LoadModelRequest(source=_checkpoint(1)))).model.name
        with pytest.raises(LabError, match=f"takes {copies} bytes") as caught:
            await _text(stub, name)
        assert caught.value.metadata["limit"] == str(limit)
        assert caught.value.metadata["requested"] == str(limit + 1)


async def test_it_is_ready_only_while_the_checkpoint_service_answers(
    tmp_path: Path, vocabulary: Path
) -> None:
    add_vocabulary(tmp_path, vocabulary)
    async with AsyncExitStack() as stack:
        async with checkpoint_service(tmp_path) as checkpoint_address:
            address = await stack.enter_async_context(
                inference_service(tmp_path, checkpoint_address)
            )
            await until(lambda: is_ready(address))
        await until(lambda: _is_not_ready(address))


async def _is_not_ready(address: str) -> bool:
    return not await is_ready(address)
