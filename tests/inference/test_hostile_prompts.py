"""Prompts that were written to do harm are text like any other, or refused; nobody else notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from lab.rpc.client import channel
from lab.text import Tokenizer
from lab.v1 import inference_service_pb2_grpc
from lab.v1.inference_service_pb2 import (
    FINISH_REASON_LENGTH,
    GenerateRequest,
    GenerateResponse,
    LoadModelRequest,
)
from lab.v1.model_pb2 import LoadedModel
from tests.support.checkpoint_service import PEEK
from tests.support.inference_service import TINY, add_vocabulary, inference_service, tiny_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.inference.conftest import SmallLab


async def _generate(stub: Any, **values: Any) -> list[GenerateResponse]:
    return [answer async for answer in stub.Generate(GenerateRequest(**values))]


@pytest.mark.parametrize(
    "prompt",
    [
        "<script>alert(1)</script>",
        "\x1b[2J\x1b]0;mine\a\x00\x7f",
        "<|endoftext|> <|endoftext|>",
        "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\N{ZERO WIDTH JOINER}",
        "\U0001f468\U0001f3fd\N{COMBINING ACUTE ACCENT}\ufffd\ufffe",
    ],
)
async def test_it_is_read_as_it_stands(lab: SmallLab, loaded: LoadedModel, prompt: str) -> None:
    ids = Tokenizer().encode(prompt)
    assert Tokenizer.eot not in ids  # what looks like a special token is letters
    options = {"model": loaded.name, "max_tokens": 4, "temperature": 0}
    by_text = await _generate(lab.inference, prompt=prompt, **options)
    by_ids = await _generate(lab.inference, token_ids=ids, **options)
    assert by_text[-1].timing.prompt_tokens == len(ids)
    assert [each.token.id for each in by_text] == [each.token.id for each in by_ids]


@pytest.mark.parametrize("spoilt", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc3"])
async def test_bytes_that_are_no_utf8_are_the_callers_mistake(
    lab: SmallLab, loaded: LoadedModel, spoilt: bytes
) -> None:
    whole = GenerateRequest(model=loaded.name, prompt="@@@"[: len(spoilt)], max_tokens=1)
    async with grpc.aio.insecure_channel(lab.address) as raw:
        call: Any = raw.unary_stream("/lab.v1.InferenceService/Generate")
        data = whole.SerializeToString().replace(b"@" * len(spoilt), spoilt)
        assert data != whole.SerializeToString()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(aiter(call(data)))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len(await _generate(lab.inference, model=loaded.name, prompt="a", max_tokens=1)) == 2


async def test_a_text_arrives_in_whole_characters(lab: SmallLab, loaded: LoadedModel) -> None:
    tokenizer = Tokenizer()
    # So random that tokens which are a part of a character only come up.
    answers = await _generate(
        lab.inference, model=loaded.name, prompt="a", max_tokens=60, temperature=50, top_k=0, seed=5
    )
    data = tokenizer.decode_bytes([each.token.id for each in answers[:-1]])
    assert "".join(each.text for each in answers) == data.decode(errors="replace")
    waited = [each for each in answers[:-1] if not each.text]
    assert waited, "no character came in parts"


async def test_texts_go_on_when_a_newer_checkpoint_takes_the_place_of_theirs(
    lab: SmallLab, vocabulary: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One model is kept: the newer peek lets the older go while its text is on its way."""
    home = tmp_path_factory.mktemp("one")
    add_vocabulary(home, vocabulary)
    async with (
        inference_service(home, lab.checkpoint_address, max_models=1) as address,
        channel(address, peer="inference", caller="client") as open_channel,
    ):
        stub = inference_service_pb2_grpc.InferenceServiceStub(open_channel)

        async def load(seed: int) -> str:
            await lab.save(tiny_model(seed=seed), PEEK)
            return (await stub.LoadModel(LoadModelRequest(source=PEEK))).model.name

        old = await load(1)
        asked: dict[str, Any] = {"prompt": "a", "max_tokens": TINY.context, "temperature": 0}
        expected = await _generate(stub, model=old, **asked)
        call = stub.Generate(GenerateRequest(model=old, **asked))
        answers = aiter(call)
        begun = [await anext(answers) for _ in range(2)]
        new = await load(2)
        assert new != old
        other = await _generate(stub, model=new, **asked)
        rest = [answer async for answer in answers]

    def ids(texts: list[GenerateResponse]) -> list[int]:
        return [each.token.id for each in texts]

    assert ids([*begun, *rest]) == ids(expected)
    assert rest[-1].finish_reason == FINISH_REASON_LENGTH
    assert ids(other) != ids(expected)
