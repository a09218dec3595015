"""Weights of the book's own GPTModel, from its package, come in and give the same logits."""

from pathlib import Path

import pytest
import torch
from llms_from_scratch.ch04 import GPTModel as BooksModel
from llms_from_scratch.ch04 import GPTModelFast
from safetensors.torch import save_file
from torch import Tensor

from lab.model import load_book_weights
from lab.model.book import from_book_state

SHAPE = {
    "vocab_size": 97,
    "context_length": 16,
    "emb_dim": 32,
    "n_heads": 4,
    "n_layers": 3,
    "drop_rate": 0.1,
    "qkv_bias": False,
}


def books(*, qkv_bias: bool = False, tied: bool = False) -> BooksModel:
    torch.manual_seed(5)
    model = BooksModel(SHAPE | {"qkv_bias": qkv_bias})
    if tied:
        model.out_head.weight = model.tok_emb.weight
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.train(False)
    return model


@torch.no_grad()
@pytest.mark.parametrize("qkv_bias", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_the_logits_are_the_books(qkv_bias: bool, tied: bool, ids: Tensor, tmp_path: Path) -> None:
    theirs = books(qkv_bias=qkv_bias, tied=tied)
    state = {name: value.clone() for name, value in theirs.state_dict().items()}
    save_file(state, tmp_path / "mine.safetensors")
    ours = load_book_weights(tmp_path / "mine.safetensors", heads=4)
    assert ours.config.tied == tied
    torch.testing.assert_close(ours(ids), theirs(ids), rtol=1e-4, atol=1e-4)
    assert theirs(ids).std() > 0.3, "logits near 0 would agree whatever was wrong"


def test_the_gradients_are_the_books(ids: Tensor) -> None:
    theirs = books()
    ours = from_book_state(theirs.state_dict(), heads=4)
    for model in (theirs, ours):
        model(ids).logsumexp(2).sum().backward()
    by_q = theirs.trf_blocks[1].att.W_query.weight.grad
    found = ours.get_parameter("transformer.h.1.attn.c_attn.weight").grad
    assert found is not None
    torch.testing.assert_close(found[:32], by_q, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_a_folder_is_as_good_as_a_file(ids: Tensor, tmp_path: Path) -> None:
    save_file(books().state_dict(), tmp_path / "model.safetensors")
    by_file = load_book_weights(tmp_path / "model.safetensors", heads=4)
    assert torch.equal(load_book_weights(tmp_path, heads=4)(ids), by_file(ids))


def test_heads_are_64_wide_unless_said(ids: Tensor) -> None:
    torch.manual_seed(6)
    theirs = BooksModel(SHAPE | {"emb_dim": 128, "n_heads": 2})
    theirs.train(False)
    ours = from_book_state(theirs.state_dict())
    assert ours.config.heads == 2
    torch.testing.assert_close(ours(ids), theirs(ids), rtol=1e-4, atol=1e-4)


def _without(name: str) -> dict[str, Tensor]:
    return {key: value for key, value in books().state_dict().items() if key != name}


def test_what_is_not_as_in_the_book_is_named(tmp_path: Path) -> None:
    state = books().state_dict()
    for bad, heads, reason in [
        (_without("out_head.weight"), 4, r"lack out_head\.weight, so they are not"),
        (_without("trf_blocks.1.att.W_key.weight"), 4, r"lack trf_blocks\.1\.att\.W_key\.weight"),
        (_without("final_norm.shift"), 4, r"lack transformer\.ln_f\.bias"),
        (state | {"lora.A": torch.ones(2, 2)}, 4, r"hold lora\.A, which the book"),
        (state | {"pos_emb.weight": torch.ones(3)}, 4, r"pos_emb\.weight has shape \(3,\)"),
        (state, None, "a width of 32 does not tell the number of heads; give heads"),
        (state, 5, "heads is 5, which does not divide the width 32"),
        (GPTModelFast(SHAPE).state_dict(), 4, r"lack trf_blocks\.0\.att\.W_query\.weight"),
    ]:
        with pytest.raises(ValueError, match=reason):
            from_book_state(bad, heads=heads)
    (tmp_path / "model.pth").write_bytes(b"\x80\x02")
    for path in (tmp_path, tmp_path / "model.pth"):
        with pytest.raises(ValueError, match=r"model\.pth: pickled files .* never read"):
            load_book_weights(path, heads=4)
