"""Weights and folders are exchanged with transformers, both ways, and the logits agree."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from lab.model import GPTModel, load_hf_state, load_model, save_model, to_hf_state
from lab.model.hf import config_from_hf, hf_config


@torch.no_grad()
def test_transformers_opens_our_folder_and_agrees(
    model: GPTModel, ids: Tensor, tmp_path: Path
) -> None:
    save_model(model, tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path, attn_implementation="eager")
    theirs.train(False)
    torch.testing.assert_close(theirs(ids).logits, model(ids), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_we_open_a_folder_of_transformers_and_agree(tmp_path: Path, ids: Tensor) -> None:
    torch.manual_seed(4)
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=97,
            n_positions=16,
            n_embd=32,
            n_layer=2,
            n_head=4,
            initializer_range=0.3,
            bos_token_id=96,
            eos_token_id=96,
        )
    )
    theirs.train(False)
    theirs.save_pretrained(tmp_path)
    torch.testing.assert_close(load_model(tmp_path)(ids), theirs(ids).logits, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_saved_model_comes_back_bit_for_bit(model: GPTModel, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again.config == model.config
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name)), name


def test_square_matrices_are_turned_too(model: GPTModel) -> None:
    """attn.c_proj is square: a forgotten transpose would show in no shape."""
    name = "transformer.h.0.attn.c_proj.weight"
    assert torch.equal(to_hf_state(model)[name], model.get_parameter(name).t())


def test_gpt2s_own_names_and_constants_are_understood(model: GPTModel) -> None:
    state = {name.removeprefix("transformer."): value for name, value in to_hf_state(model).items()}
    state["h.0.attn.bias"] = torch.ones(1, 1, 16, 16)
    fresh = GPTModel(model.config, seed=99)
    load_hf_state(fresh, state)
    name = "transformer.h.1.mlp.c_fc.weight"
    assert torch.equal(fresh.get_parameter(name), model.get_parameter(name))


def test_weights_that_do_not_fit_are_named(model: GPTModel) -> None:
    state = to_hf_state(model)
    del state["transformer.ln_f.weight"]
    with pytest.raises(ValueError, match=r"lack transformer\.ln_f\.weight"):
        load_hf_state(model, state)
    state = to_hf_state(model) | {"extra": torch.ones(1)}
    with pytest.raises(ValueError, match=r"transformer\.extra"):
        load_hf_state(model, state)
    state = to_hf_state(model) | {"transformer.ln_f.weight": torch.ones(31)}
    with pytest.raises(ValueError, match=r"\(31,\).*\(32,\)"):
        load_hf_state(model, state)


def test_other_architectures_are_refused(model: GPTModel, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    fields = json.loads((tmp_path / "config.json").read_text())
    assert config_from_hf(fields) == model.config
    with pytest.raises(ValueError, match="only gpt2"):
        config_from_hf(hf_config(model.config) | {"model_type": "llama"})
    with pytest.raises(ValueError, match="only gelu_new"):
        config_from_hf(hf_config(model.config) | {"activation_function": "relu"})
    with pytest.raises(ValueError, match="n_head"):
        config_from_hf({k: v for k, v in fields.items() if k != "n_head"})
