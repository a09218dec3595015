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
    FINISH_REASON_STOP,
    GenerateRequest,
    GenerateResponse,
    TokenizeRequest,
)
from lab.v1.model_pb2 import LoadedModel
from tests.support.inference_service import TINY, tiny_model

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
        assert answer.probability == pytest.approx(float(best.values[0]), rel=1e-3)
        assert [other.token.id for other in answer.alternatives] == best.indices.tolist()
        assert [other.probability for other in answer.alternatives] == pytest.approx(
            best.values.tolist(), rel=1e-3
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
    def request(**options: Any) -> GenerateRequest:
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
        assert len(_ids(await _generate(lab, request))) == TINY.context


async def test_texts_queue_and_one_more_than_the_queue_is_refused(
    lab: SmallLab, loaded: LoadedModel
) -> None:
    request = GenerateRequest(model=loaded.name, prompt="a", max_tokens=512, temperature=0)
    outcomes = await asyncio.gather(
        *(_generate(lab, request) for _ in range(20)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, LabError)]
    done = [outcome for outcome in outcomes if isinstance(outcome, list)]
    # One place and four that wait; all came before the first was done, or some found room later.
    assert len(done) >= 5
    assert refused
    assert {error.code for error in refused} == {Code.RESOURCE_EXHAUSTED}
    assert refused[0].metadata["limit"] == "5"
    assert {tuple(_ids(answers)) for answers in done} == {tuple(_ids(done[0]))}
    assert max(answers[-1].timing.waited_secs for answers in done) > 0


async def test_a_stop_string_ends_the_text_before_it(lab: SmallLab, loaded: LoadedModel) -> None:
    request = GenerateRequest(model=loaded.name, prompt=PROMPT, max_tokens=20, temperature=0)
    whole = await _generate(lab, request)
    text = "".join(answer.text for answer in whole)
    middle = len(text) // 2
    stop = text[middle : middle + 3]
    request.stop.extend(["never \N{SNOWMAN} there", stop])
    stopped = await _generate(lab, request)
    assert "".join(answer.text for answer in stopped) == text[: text.index(stop)]
    assert stopped[-1].finish_reason == FINISH_REASON_STOP
    assert len(stopped) < len(whole)


async def test_the_seed_that_was_taken_is_told_and_gives_the_text_again(
    lab: SmallLab, loaded: LoadedModel
) -> None:
    request = GenerateRequest(
        model=loaded.name, prompt=PROMPT, max_tokens=15, temperature=1.5, top_k=0, top_p=0.95
    )
    first = await _generate(lab, request)
    request.seed = first[-1].seed
    assert _ids(await _generate(lab, request)) == _ids(first)
    assert first[-1].timing.prompt_tokens == len(Tokenizer().encode(PROMPT))
    assert first[-1].timing.first_token_secs > 0
    assert first[-1].timing.tokens_per_sec > 0


async def test_a_prompt_may_be_token_ids_and_alternatives_as_many_as_wanted(
    lab: SmallLab, loaded: LoadedModel
) -> None:
    by_text = GenerateRequest(model=loaded.name, prompt=PROMPT, max_tokens=5, temperature=0)
    by_ids = GenerateRequest(
        model=loaded.name,
        token_ids=Tokenizer().encode(PROMPT),
        max_tokens=5,
        temperature=0,
        alternatives=0,
    )
    answers = await _generate(lab, by_ids)
    assert _ids(answers) == _ids(await _generate(lab, by_text))
    assert all(len(answer.alternatives) == 0 for answer in answers)
    by_text.alternatives = 20
    assert all(len(answer.alternatives) == 20 for answer in (await _generate(lab, by_text))[:-1])
    special = GenerateRequest(model=loaded.name, token_ids=[Tokenizer.eot], max_tokens=2)
    assert len(await _generate(lab, special)) == 3


async def test_a_penalty_keeps_a_text_from_repeating_itself(lab: SmallLab) -> None:
    await lab.save(tiny_model(seed=3))
    loaded = await lab.load()
    request = GenerateRequest(model=loaded.name, prompt="a a a a", max_tokens=40, temperature=0)
    request.presence_penalty = 10
    request.repetition_penalty = 10
    ids = _ids(await _generate(lab, request))
    assert len(set(ids)) == len(ids)


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
        ({"top_p": 0.0}, "top_p", "must be a number from 1e-06 to 1; 0.9 is usual"),
        ({"min_p": 1.5}, "min_p", "must be a number from 0 to 1; 0.05 is usual"),
        ({"repetition_penalty": 0.0}, "repetition_penalty", "must be a number from 0.01 to 10"),
        ({"presence_penalty": 11.0}, "presence_penalty", "must be a number from -10 to 10"),
        ({"frequency_penalty": float("nan")}, "frequency_penalty", "must be a number from -10"),
        ({"stop": [""]}, "stop", "must each be 1 to 256 bytes, but one is 0"),
        ({"stop": ["a" * 257]}, "stop", "must each be 1 to 256 bytes, but one is 257"),
        ({"stop": ["a"] * 9}, "stop", "must be at most 8 texts, but 9 are given"),
        ({"alternatives": 21}, "alternatives", "is 21; at most 20"),
        ({"token_ids": [1]}, "token_ids", "must be absent when prompt is given"),
        ({"prompt": "", "token_ids": [50_257]}, "token_ids", "must be from 0 to 50256, but one is"),
        ({"prompt": "", "token_ids": [1] * 65}, "token_ids", "are 65 tokens; the model reads"),
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
