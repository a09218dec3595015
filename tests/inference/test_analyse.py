"""Questions over real gRPC: what comes is what the pure functions say, kept, bounded, compared."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from lab.analysis.attention import Kind, attention, row_divergence
from lab.analysis.head_scores import head_scores
from lab.analysis.probes import natural_probe
from lab.analysis.token_losses import token_losses
from lab.errors import Code, LabError
from lab.model import GPTConfig, GPTModel
from lab.text import Tokenizer
from lab.v1 import analysis_service_pb2 as messages
from lab.v1 import tensor_pb2
from lab.v1.analysis_service_pb2 import AnalyseRequest, AnalyseResponse
from lab.v1.model_pb2 import LoadedModel
from lab.v1.tensor_pb2 import NamedTensor
from services.inference.analysis import answers, quotas
from services.inference.analysis.encoding import encode
from services.inference.analysis.kept import Kept
from tests.support.inference_service import TINY, tiny_model

if TYPE_CHECKING:
    from tests.inference.conftest import SmallLab

TEXT = "Your journey starts with one step. Your journey ends."
QUESTIONS: dict[str, dict[str, Any]] = {
    "tokens": {"tokens": messages.TokenQuestion()},
    "activations": {"activations": messages.ActivationQuestion()},
    "lens": {"lens": messages.LensQuestion()},
    "heads": {"heads": messages.HeadQuestion(length=10)},
    "attention": {"attention": messages.AttentionQuestion()},
    "attribution": {"attribution": messages.AttributionQuestion()},
    "maxima": {"maxima": messages.MaximaQuestion()},
    "embedding": {"embedding": messages.EmbeddingQuestion()},
    "weights": {"weights": messages.WeightQuestion()},
    "neighbours": {"neighbours": messages.NeighbourQuestion(token=262)},
}


def arrays(named: Iterable[NamedTensor]) -> dict[str, npt.NDArray[Any]]:
    """Decoded as a reader would: triangles are filled up with zeros."""
    found: dict[str, npt.NDArray[Any]] = {}
    for each in named:
        tensor, shape = each.tensor, list(each.tensor.shape)
        if tensor.dtype == tensor_pb2.DTYPE_FLOAT32:
            found[each.name] = np.frombuffer(tensor.data, "<f4").reshape(shape)
        elif tensor.dtype == tensor_pb2.DTYPE_INT32:
            found[each.name] = np.frombuffer(tensor.data, "<i4").reshape(shape)
        elif tensor.dtype == tensor_pb2.DTYPE_UINT8_SQRT:
            found[each.name] = (np.frombuffer(tensor.data, np.uint8).reshape(shape) / 255) ** 2
        else:
            side = shape[-1]
            whole = np.zeros(shape)
            packed = np.frombuffer(tensor.data, np.uint8).reshape(*shape[:-2], -1)
            whole[..., *np.tril_indices(side)] = (packed / 255) ** 2
            found[each.name] = whole
    return found


async def _ask(lab: SmallLab, loaded: LoadedModel, **values: Any) -> AnalyseResponse:
    request = AnalyseRequest(**{"model": loaded.name, "text": TEXT, **values})
    return await lab.analysis.Analyse(request)


@pytest.mark.parametrize("name", QUESTIONS)
async def test_every_kind_answers_is_kept_and_compares_with_itself(
    lab: SmallLab, loaded: LoadedModel, name: str
) -> None:
    first = await _ask(lab, loaded, **QUESTIONS[name])
    found = arrays(first.tensors)
    assert found
    assert (first.digest, first.step, first.cached) == (loaded.digest, loaded.step, False)
    assert "".join(token.text for token in first.tokens) == TEXT
    again = await _ask(lab, loaded, **QUESTIONS[name])
    assert again.cached
    assert again.tensors == first.tensors
    # A model differs from itself in nothing.
    both = await _ask(lab, loaded, other_model=loaded.name, **QUESTIONS[name])
    assert not both.cached
    assert both.tensors == first.tensors
    for each, values in arrays(both.other_tensors).items():
        if name != "embedding" or each != "points":
            np.testing.assert_array_equal(values, found[each])
    for values in arrays(both.differences).values():
        np.testing.assert_allclose(np.nan_to_num(values), 0, atol=1e-6)


async def test_token_losses_come_as_they_are(
    lab: SmallLab, loaded: LoadedModel, model: GPTModel
) -> None:
    answer = await _ask(lab, loaded, tokens=messages.TokenQuestion(top=3), after_end_of_text=True)
    ids = [Tokenizer.eot, *Tokenizer().encode(TEXT)]
    assert [token.id for token in answer.tokens] == ids
    expected = token_losses(model, ids, top=3)
    found = arrays(answer.tensors)
    np.testing.assert_allclose(found["loss"], expected.loss, rtol=1e-5)
    np.testing.assert_array_equal(found["top_ids"], expected.top_ids)
    # Every id that is named comes with its text.
    words = {token.id: token.text for token in answer.words}
    assert set(words) == set(found["top_ids"].flatten().tolist())
    assert all(Tokenizer().pieces([token]) == [text] for token, text in words.items())
    by_ids = await _ask(lab, loaded, text="", token_ids=ids, tokens=messages.TokenQuestion(top=3))
    assert by_ids.cached


async def test_attention_comes_as_triangle_thumbnails_or_rows(
    lab: SmallLab, loaded: LoadedModel, model: GPTModel
) -> None:
    ids = Tokenizer().encode(TEXT)
    T = len(ids)
    exact = attention(model, ids, layers=[0, 1], heads=range(4)).numpy()
    whole = (await _ask(lab, loaded, attention=messages.AttentionQuestion())).tensors[0]
    assert len(whole.tensor.data) == 8 * T * (T + 1) // 2
    approximate = arrays([whole])["weights"]
    assert np.abs(approximate - exact).max() <= 0.005
    assert (approximate[..., np.triu(np.ones((T, T), bool), 1)] == 0).all()
    asked = messages.AttentionQuestion(layers=[1], heads=[2], rows=[3, 0], thumbnail=4)
    found = arrays((await _ask(lab, loaded, attention=asked)).tensors)
    np.testing.assert_allclose(found["rows"][0, 0], exact[1, 2, [3, 0]], atol=1e-7)
    assert found["thumbnails"].shape == (1, 1, 4, 4)
    floats = messages.AttentionQuestion(dtype=tensor_pb2.DTYPE_FLOAT32)
    np.testing.assert_array_equal(
        arrays((await _ask(lab, loaded, attention=floats)).tensors)["weights"], exact
    )


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.WEIGHTS])
async def test_each_kind_of_map_with_and_without_the_sink(
    lab: SmallLab, loaded: LoadedModel, model: GPTModel, kind: Kind
) -> None:
    ids = Tokenizer().encode(TEXT)
    for hidden in (False, True):
        asked = messages.AttentionQuestion(
            kind=messages.AttentionKind.Value(f"ATTENTION_KIND_{kind.name}"),
            layers=[1],
            hide_sink=hidden,
            dtype=tensor_pb2.DTYPE_FLOAT32,
        )
        # Of both layers, since the service keeps the weights of every layer for the next question.
        expected = attention(
            model, ids, layers=[0, 1], heads=range(4), kind=kind, sink_hidden=hidden
        )[1:].numpy()
        found = arrays((await _ask(lab, loaded, attention=asked)).tensors)["weights"]
        np.testing.assert_allclose(found, expected, atol=1e-7)
        sums = found[..., 1:, :].sum(-1)
        np.testing.assert_allclose(sums, 1, atol=1e-6)


async def test_heads_are_scored_on_made_up_and_on_given_text(
    lab: SmallLab, loaded: LoadedModel, model: GPTModel
) -> None:
    with_text = arrays((await _ask(lab, loaded, **QUESTIONS["heads"])).tensors)
    natural = head_scores(model, natural_probe([Tokenizer().encode(TEXT)]))
    np.testing.assert_allclose(with_text["natural_corrected"], natural.corrected, atol=1e-5)
    without = arrays((await _ask(lab, loaded, text="", **QUESTIONS["heads"])).tensors)
    assert not [name for name in without if name.startswith("natural")]
    np.testing.assert_array_equal(without["synthetic_raw"], with_text["synthetic_raw"])
    assert without["label"].shape == without["copying"].shape == (TINY.layers, TINY.heads)
    # A random model shows nothing, and nothing is claimed of it.
    assert (without["label"] == -1).all()
    assert (without["evidence"] == 0).all()


async def test_two_models_are_compared(lab: SmallLab, loaded: LoadedModel, model: GPTModel) -> None:
    other = tiny_model(seed=2)
    await lab.save(other, "runs/nano-1/checkpoints/step-00000020")
    later = await lab.load("runs/nano-1/checkpoints/step-00000020")
    ids = Tokenizer().encode(TEXT)
    answer = await _ask(lab, loaded, other_model=later.name, tokens=messages.TokenQuestion())
    assert (answer.other_digest, answer.digest) == (later.digest, loaded.digest)
    found = arrays(answer.differences)
    expected = token_losses(other, ids).loss - token_losses(model, ids).loss
    np.testing.assert_allclose(found["loss"], expected, atol=1e-4)
    assert "top_ids" not in found
    said = [each(torch.tensor([ids]))[0].double().log_softmax(-1) for each in (model, other)]
    kl = (said[0].exp() * (said[0] - said[1])).sum(-1)
    np.testing.assert_allclose(found["kl"], kl.detach(), rtol=1e-3, atol=1e-4)
    answer = await _ask(lab, loaded, other_model=later.name, attention=messages.AttentionQuestion())
    maps = [attention(each, ids, layers=[0, 1], heads=range(4)) for each in (model, other)]
    np.testing.assert_allclose(
        arrays(answer.differences)["js"], row_divergence(*maps), rtol=1e-3, atol=1e-5
    )
    answer = await _ask(lab, loaded, other_model=later.name, weights=messages.WeightQuestion())
    names = list(answer.rows)
    change = arrays(answer.differences)["change"]
    wte = model.get_parameter("transformer.wte.weight").detach()
    moved = (other.get_parameter("transformer.wte.weight").detach() - wte).norm() / wte.norm()
    assert change[names.index("transformer.wte.weight")] == pytest.approx(moved.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({}, "question", "must be one of tokens, activations, lens, heads"),
        ({"text": "", "tokens": messages.TokenQuestion()}, "text", "must not be empty"),
        ({"text": " a" * 65, **QUESTIONS["tokens"]}, "text", "is 65 tokens; the model reads at"),
        (
            {"text": " a" * 64, "after_end_of_text": True, **QUESTIONS["tokens"]},
            "text",
            "is 64 tokens; the model reads at most 63",
        ),
        ({"token_ids": [1], **QUESTIONS["tokens"]}, "token_ids", "must be absent when text is"),
        ({"tokens": messages.TokenQuestion(top=21)}, "tokens.top", "must be at most 20"),
        ({"lens": messages.LensQuestion(top=21)}, "lens.top", "must be at most 20"),
        ({"lens": messages.LensQuestion(first=99)}, "lens.first", "in this text, but is 99"),
        ({"maxima": messages.MaximaQuestion(top=51)}, "maxima.top", "must be at most 50"),
        ({"weights": messages.WeightQuestion(bins=201)}, "weights.bins", "must be at most 200"),
        (
            {"attention": messages.AttentionQuestion(layers=[2])},
            "attention.layers",
            "must be 0 to 1 in this model, but one is 2",
        ),
        (
            {"attention": messages.AttentionQuestion(heads=[4])},
            "attention.heads",
            "must be 0 to 3 in this model, but one is 4",
        ),
        (
            {"attention": messages.AttentionQuestion(rows=[99])},
            "attention.rows",
            "must be 0 to",
        ),
        ({"attention": messages.AttentionQuestion(dtype=4)}, "dtype", "must be one of DTYPE_"),  # type: ignore[arg-type]
        ({"heads": messages.HeadQuestion(length=40)}, "heads.length", "must be from 2 to 31"),
        (
            {"attribution": messages.AttributionQuestion(position=99)},
            "attribution.position",
            "in this text, but is 99",
        ),
        (
            {"attribution": messages.AttributionQuestion(target=50_257)},
            "attribution.target",
            "must be a token id from 0 to 50256",
        ),
        ({"embedding": messages.EmbeddingQuestion(count=5001)}, "embedding.count", "at most 5000"),
    ],
)
async def test_what_cannot_be_accepted_is_named(
    lab: SmallLab, loaded: LoadedModel, values: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(LabError) as caught:
        await _ask(lab, loaded, **values)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert reason in caught.value.message
    assert [violation.field for violation in caught.value.violations] == [field]


async def test_a_part_of_the_lens_is_that_part_of_all_of_it(
    lab: SmallLab, loaded: LoadedModel
) -> None:
    whole = arrays((await _ask(lab, loaded, lens=messages.LensQuestion())).tensors)
    count = len(Tokenizer().encode(TEXT))
    for first, wanted in ((0, 3), (2, 2), (count - 1, 9), (1, 0)):
        asked = messages.LensQuestion(first=first, count=wanted)
        answer = await _ask(lab, loaded, lens=asked)
        assert len(answer.tokens) == count
        part = arrays(answer.tensors)
        last = first + wanted if wanted else count
        for name, values in whole.items():
            np.testing.assert_allclose(part[name], values[:, first:last], rtol=1e-4, atol=1e-6)


async def test_hostile_text_is_text(lab: SmallLab, loaded: LoadedModel) -> None:
    text = "<script>alert(1)</script> \x1b[31m<|endoftext|>\N{BELL}"
    answer = await _ask(lab, loaded, text=text, tokens=messages.TokenQuestion())
    assert Tokenizer().decode([token.id for token in answer.tokens]) == text
    assert Tokenizer.eot not in [token.id for token in answer.tokens]


async def test_what_would_be_too_large_names_what_fits(
    lab: SmallLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lab.save(tiny_model(GPTConfig(layers=6, width=32, heads=8, context=512)))
    loaded = await lab.load()
    for limit, value, question in (
        ("MAX_ANSWER_BYTES", 1 << 20, QUESTIONS["attention"]),
        ("MAX_WORK_BYTES", 4 << 20, QUESTIONS["attribution"]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(quotas, limit, value)
            with pytest.raises(LabError, match="shorten the text or ask for") as caught:
                await _ask(lab, loaded, text="a" + " a" * 299, **question)
            largest = int(caught.value.metadata["largest_tokens"])
            for tokens, fits in ((largest, True), (largest + 1, False)):
                text = "a" + " a" * (tokens - 1)
                if fits:
                    assert len((await _ask(lab, loaded, text=text, **question)).tokens) == largest
                else:
                    with pytest.raises(LabError, match="tokens here"):
                        await _ask(lab, loaded, text=text, **question)


async def test_twenty_at_once_are_all_answered(lab: SmallLab, loaded: LoadedModel) -> None:
    answers_ = await asyncio.gather(
        *(
            _ask(lab, loaded, text=f"{n}" + " a" * 60, attention=messages.AttentionQuestion())
            for n in range(20)
        )
    )
    assert len({answer.tensors[0].tensor.data for answer in answers_}) == 20


def test_answers_are_kept_within_their_memory() -> None:
    kept = Kept(max_bytes=3_000)
    answer = AnalyseResponse(tensors=[NamedTensor(name="x" * 900)])
    for key in ("a", "b", "c"):
        kept.keep(key, answer)
    assert kept.find("a") is not None  # and is now the most recently used
    kept.keep("d", answer)
    assert kept.find("b") is None
    assert [key for key in "acd" if kept.find(key)] == ["a", "c", "d"]
    kept.keep("e", AnalyseResponse(tensors=[NamedTensor(name="x" * 4_000)]))
    assert [key for key in "acde" if kept.find(key)] == []


@given(some.integers(1, 9), some.data())
def test_the_triangle_is_all_that_is_not_masked(side: int, data: some.DataObject) -> None:
    numbers = data.draw(some.lists(some.floats(0, 1, width=32), min_size=81, max_size=81))
    values = torch.tensor(numbers).view(9, 9)[:side, :side].tril().expand(2, side, side)
    tensor = encode(values, tensor_pb2.DTYPE_UINT8_SQRT_TRIANGLE)
    back = arrays([NamedTensor(name="x", tensor=tensor)])["x"]
    assert np.abs(back - values.numpy()).max() <= 0.005
    assert (back[:, np.triu(np.ones((side, side), bool), 1)] == 0).all()


def test_every_question_of_the_contract_has_its_answer() -> None:
    in_contract = AnalyseRequest.DESCRIPTOR.oneofs_by_name["question"].fields
    assert set(answers.KINDS) == {field.name for field in in_contract} == set(QUESTIONS)
