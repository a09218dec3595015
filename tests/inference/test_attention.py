"""Attention maps: the true ones, each row a distribution, in an answer that fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from transformers import GPT2LMHeadModel

from lab.errors import Code, LabError
from lab.model import GPTConfig, GPTModel
from lab.text import Tokenizer
from lab.v1.analysis_service_pb2 import GetAttentionRequest, GetAttentionResponse
from lab.v1.model_pb2 import LoadedModel
from lab.v1.tensor_pb2 import DTYPE_FLOAT32, DTYPE_UINT8_SQRT
from services.inference.analysis.encoding import encode
from tests.support.checkpoint_service import NAME
from tests.support.inference_service import TINY, tiny_model

if TYPE_CHECKING:
    from tests.inference.conftest import SmallLab

TEXT = "Your journey starts with one step."


def _weights(answer: GetAttentionResponse) -> npt.NDArray[np.float64]:
    tensor = answer.weights
    if tensor.dtype == DTYPE_FLOAT32:
        numbers = np.frombuffer(tensor.data, "<f4").astype(np.float64)
    else:
        numbers = (np.frombuffer(tensor.data, np.uint8) / 255.0) ** 2
    return numbers.reshape(tensor.shape)


async def test_the_maps_are_those_of_transformers(
    lab: SmallLab, loaded: LoadedModel, model: GPTModel
) -> None:
    answer = await lab.analysis.GetAttention(GetAttentionRequest(model=loaded.name, text=TEXT))
    folder: Path = lab.home / "written" / NAME
    reference = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager")
    ids = Tokenizer().encode(TEXT)
    with torch.no_grad():
        attentions = reference(torch.tensor([ids]), output_attentions=True).attentions
    weights = _weights(answer)
    assert weights.shape == (TINY.layers, TINY.heads, len(ids), len(ids))
    np.testing.assert_allclose(weights, torch.cat(attentions).numpy(), atol=1e-5)
    assert [token.id for token in answer.tokens] == ids
    assert "".join(token.text for token in answer.tokens) == TEXT
    assert list(answer.layers) == [0, 1]
    assert list(answer.heads) == [0, 1, 2, 3]


async def test_rows_sum_to_1_and_nothing_looks_ahead(lab: SmallLab, loaded: LoadedModel) -> None:
    answer = await lab.analysis.GetAttention(GetAttentionRequest(model=loaded.name, text=TEXT))
    weights = _weights(answer)
    np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=0, atol=1e-6)
    ahead = np.triu(np.ones(weights.shape[-2:], bool), k=1)
    assert (weights[..., ahead] == 0).all()
    assert (weights >= 0).all()


async def test_chosen_layers_and_heads_come_in_the_order_asked(
    lab: SmallLab, loaded: LoadedModel
) -> None:
    everything = _weights(
        await lab.analysis.GetAttention(GetAttentionRequest(model=loaded.name, text=TEXT))
    )
    answer = await lab.analysis.GetAttention(
        GetAttentionRequest(model=loaded.name, text=TEXT, layers=[1], heads=[3, 0, 3])
    )
    assert (list(answer.layers), list(answer.heads)) == ([1], [3, 0])
    np.testing.assert_allclose(_weights(answer), everything[1:2, [3, 0]], atol=1e-6)


async def test_one_byte_a_weight_is_close_enough_to_draw(
    lab: SmallLab, loaded: LoadedModel
) -> None:
    exact = await lab.analysis.GetAttention(GetAttentionRequest(model=loaded.name, text=TEXT))
    small = await lab.analysis.GetAttention(
        GetAttentionRequest(model=loaded.name, text=TEXT, dtype=DTYPE_UINT8_SQRT)
    )
    assert len(small.weights.data) * 4 == len(exact.weights.data)
    np.testing.assert_allclose(_weights(small), _weights(exact), atol=0.004)


@given(some.floats(0, 1, width=32))
def test_the_root_encoding_keeps_0_and_1_and_is_fine_near_0(weight: float) -> None:
    byte = encode(torch.tensor([weight]), DTYPE_UINT8_SQRT).data[0]
    back = (byte / 255) ** 2
    half = 0.5 / 255  # of a byte's step, on the scale of the root
    assert abs(back - weight) <= 2 * weight**0.5 * half + half**2 + 1e-9
    if weight in (0, 1):
        assert back == weight


@pytest.mark.parametrize(
    ("options", "field", "reason"),
    [
        ({"layers": [2]}, "layers", "must be 0 to 1 in this model, but one is 2"),
        ({"heads": [0, 4]}, "heads", "must be 0 to 3 in this model, but one is 4"),
        ({"text": ""}, "text", "must not be empty"),
        ({"text": " a" * 65}, "text", "is 65 tokens; the model reads at most 64"),
        ({"dtype": 9}, "dtype", "must be one of DTYPE_FLOAT32, DTYPE_UINT8_SQRT"),
    ],
)
async def test_what_cannot_be_accepted_is_named(
    lab: SmallLab, loaded: LoadedModel, options: dict[str, Any], field: str, reason: str
) -> None:
    values: dict[str, Any] = {"model": loaded.name, "text": TEXT} | options
    with pytest.raises(LabError) as caught:
        await lab.analysis.GetAttention(GetAttentionRequest(**values))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert reason in caught.value.message
    assert [violation.field for violation in caught.value.violations] == [field]


async def test_an_answer_that_would_not_fit_names_the_length_that_does(lab: SmallLab) -> None:
    await lab.save(tiny_model(GPTConfig(layers=6, width=32, heads=8, context=512)))
    loaded = await lab.load()
    with pytest.raises(LabError, match="DTYPE_UINT8_SQRT") as caught:
        await lab.analysis.GetAttention(
            GetAttentionRequest(model=loaded.name, text="a" + " a" * 299)
        )
    largest = int(caught.value.metadata["largest_tokens"])
    assert f"{largest} tokens here" in caught.value.message
    # What the refusal says is true: that length fits, one token more does not.
    for tokens, fits in ((largest, True), (largest + 1, False)):
        request = GetAttentionRequest(model=loaded.name, text="a" + " a" * (tokens - 1))
        if fits:
            answer = await lab.analysis.GetAttention(request)
            assert answer.weights.shape[2] == largest
        else:
            with pytest.raises(LabError, match="at most 6291456 are given"):
                await lab.analysis.GetAttention(request)
    one_layer = GetAttentionRequest(
        model=loaded.name, text="a" + " a" * 299, layers=[0], dtype=DTYPE_UINT8_SQRT
    )
    assert list((await lab.analysis.GetAttention(one_layer)).weights.shape) == [1, 8, 300, 300]
