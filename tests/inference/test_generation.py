"""Text from a model over real gRPC: the right tokens, the same for the same seed, stoppable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import torch

from lab.errors import Code, LabError
from lab.model import GPTModel
from lab.text import Tokenizer
from lab.v1.inference_service_pb2 import (
    FINISH_REASON_END_OF_TEXT,
    FINISH_REASON_LENGTH,
    GenerateRequest,
    GenerateResponse,
    TokenizeRequest,
)
from lab.v1.model_pb2 import LoadedModel
from tests.support.inference_service import TINY, tiny_model
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.inference.conftest import SmallLab

PROMPT = "Every effort moves you"


async def _generate(lab: SmallLab, request: GenerateRequest) -> list[GenerateResponse]:
    return [answer async for answer in lab.inference.Generate(request)]


def _ids(answers: list[GenerateResponse]) -> list[int]:
    return [answer.token.id for answer in answers if answer.HasField("token")]


async def test_greedy_text_is_that_of_full_forward_passes(
    lab: SmallLab, loaded: LoadedModel, model: GPTModel
) -> None:
    answers = await _generate(
        lab, GenerateRequest(model=loaded.name, prompt=PROMPT, max_tokens=30, temperature=0)
    )
    tokenizer = Tokenizer()
    ids = tokenizer.encode(PROMPT)
    for answer in answers[:-1]:
        with torch.no_grad():
            probabilities = model(torch.tensor([ids]))[0, -1].double().softmax(0)
        best = probabilities.topk(5)
        assert answer.token.id == best.indices[0]
        assert answer.probability == pytest.approx(float(best.values[0]), rel=1e-4)
        assert [other.token.id for other in answer.alternatives] == best.indices.tolist()
        assert [other.probability for other in answer.alternatives] == pytest.approx(
            best.values.tolist(), rel=1e-4
        )
        ids.append(answer.token.id)
    assert len(answers) == 31
    assert [answer.index for answer in answers] == list(range(31))
    assert answers[-1].finish_reason == FINISH_REASON_LENGTH
    assert not answers[-1].HasField("token")
    assert "".join(answer.text for answer in answers) == tokenizer.decode(_ids(answers))
    times = [answer.elapsed_secs for answer in answers]
    assert times == sorted(times)
    assert times[0] > 0


async def test_the_same_seed_gives_the_same_text(lab: SmallLab, loaded: LoadedModel) -> None:
    def request(**options: int) -> GenerateRequest:
        return GenerateRequest(
            model=loaded.name, prompt=PROMPT, max_tokens=20, temperature=1.5, top_k=0, **options
        )

    first = _ids(await _generate(lab, request(seed=7)))
    assert _ids(await _generate(lab, request(seed=7))) == first
    assert _ids(await _generate(lab, request(seed=8))) != first
    # No seed means a new one each time.
    assert _ids(await _generate(lab, request())) != _ids(await _generate(lab, request()))


async def test_the_largest_seed_is_taken(lab: SmallLab, loaded: LoadedModel) -> None:
    request = GenerateRequest(model=loaded.name, prompt="a", max_tokens=1, seed=(1 << 64) - 1)
    assert len(await _generate(lab, request)) == 2


async def test_top_k_1_is_greedy(lab: SmallLab, loaded: LoadedModel) -> None:
    greedy = GenerateRequest(model=loaded.name, prompt=PROMPT, max_tokens=10, temperature=0)
    one = GenerateRequest(
        model=loaded.name, prompt=PROMPT, max_tokens=10, temperature=5, top_k=1, seed=3
    )
    assert _ids(await _generate(lab, one)) == _ids(await _generate(lab, greedy))


async def test_it_stops_at_the_end_of_the_context(lab: SmallLab, loaded: LoadedModel) -> None:
    tokenizer = Tokenizer()
    for tokens in (1, TINY.context - 3, TINY.context):
        prompt = "a" + " a" * (tokens - 1)
        assert len(tokenizer.encode(prompt)) == tokens
        request = GenerateRequest(model=loaded.name, prompt=prompt, max_tokens=512, temperature=0)
        answers = await _generate(lab, request)
        assert len(_ids(answers)) == TINY.context - tokens + 1
        assert answers[-1].finish_reason == FINISH_REASON_LENGTH


async def test_it_stops_at_the_end_of_text(lab: SmallLab) -> None:
    model = tiny_model(seed=5)
    with torch.no_grad():  # a direction that every hidden state has, which only one token likes
        model.get_parameter("transformer.ln_f.bias").fill_(1.0)
        model.head_weight[Tokenizer.eot].fill_(5.0)
    await lab.save(model)
    loaded = await lab.load()
    answers = await _generate(
        lab, GenerateRequest(model=loaded.name, prompt=PROMPT, temperature=0, max_tokens=20)
    )
    assert _ids(answers) == [Tokenizer.eot]
    assert answers[-1].finish_reason == FINISH_REASON_END_OF_TEXT
    assert "".join(answer.text for answer in answers) == ""


async def test_a_reader_that_goes_away_frees_the_place(lab: SmallLab, loaded: LoadedModel) -> None:
    request = GenerateRequest(model=loaded.name, prompt="a", max_tokens=512, temperature=0)
    # One generation at a time is allowed here, so each needs the place of the one before.
    for _ in range(5):
        call = lab.inference.Generate(request)
        await anext(aiter(call))
        call.cancel()
        again = await until(lambda: _unless_refused(lab, request))
        assert len(_ids(again)) == TINY.context


async def _unless_refused(lab: SmallLab, request: GenerateRequest) -> list[GenerateResponse]:
    """The answers, or none while the limit of generations is reached."""
    try:
        return await _generate(lab, request)
    except LabError as error:
        if error.code is not Code.RESOURCE_EXHAUSTED:
            raise
        return []


async def test_one_generation_more_than_the_limit_is_refused(
    lab: SmallLab, loaded: LoadedModel
) -> None:
    request = GenerateRequest(model=loaded.name, prompt="a", max_tokens=512, temperature=0)
    # As many as needed for two to overlap: the second of any pair is refused, not queued.
    outcomes = await asyncio.gather(
        *(_generate(lab, request) for _ in range(4)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, LabError)]
    done = [outcome for outcome in outcomes if isinstance(outcome, list)]
    assert done
    assert refused
    assert {error.code for error in refused} == {Code.RESOURCE_EXHAUSTED}
    assert "which is the limit" in refused[0].message
    assert refused[0].metadata["limit"] == "1"


@pytest.mark.parametrize(
    ("options", "field", "reason"),
    [
        ({"prompt": ""}, "prompt", "must not be empty; give the model 1 to 64 tokens"),
        ({"prompt": "a" * 70_000}, "prompt", "is 70000 bytes; at most 65536"),
        ({"prompt": " a" * 65}, "prompt", "is 65 tokens; the model reads at most 64"),
        ({"max_tokens": 513}, "max_tokens", "is 513; at most 512"),
        ({"temperature": -0.1}, "temperature", "must be a number from 0 to 100"),
        ({"temperature": float("nan")}, "temperature", "must be a number from 0 to 100"),
        ({"temperature": float("inf")}, "temperature", "must be a number from 0 to 100"),
    ],
)
async def test_what_cannot_be_accepted_is_named(
    lab: SmallLab, loaded: LoadedModel, options: dict[str, Any], field: str, reason: str
) -> None:
    values: dict[str, Any] = {"model": loaded.name, "prompt": PROMPT} | options
    with pytest.raises(LabError) as caught:
        await _generate(lab, GenerateRequest(**values))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert reason in caught.value.message
    assert [violation.field for violation in caught.value.violations] == [field]


async def test_a_model_that_is_not_in_memory_is_named(lab: SmallLab) -> None:
    for name, code in (("models/mabc", Code.NOT_FOUND), ("mabc", Code.INVALID_ARGUMENT)):
        with pytest.raises(LabError) as caught:
            await _generate(lab, GenerateRequest(model=name, prompt=PROMPT))
        assert caught.value.code is code
    with pytest.raises(LabError, match="models/mabc is not in memory; load it again"):
        await _generate(lab, GenerateRequest(model="models/mabc", prompt=PROMPT))


async def test_tokenize_shows_pieces_and_takes_special_text_for_text(lab: SmallLab) -> None:
    answer = await lab.inference.Tokenize(TokenizeRequest(text="hi <|endoftext|> €"))
    assert Tokenizer.eot not in [token.id for token in answer.tokens]
    assert Tokenizer().decode([token.id for token in answer.tokens]) == "hi <|endoftext|> €"
    assert answer.tokens[0].text == "hi"
    assert list((await lab.inference.Tokenize(TokenizeRequest())).tokens) == []
