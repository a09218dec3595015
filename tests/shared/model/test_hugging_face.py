"""Weights and folders are exchanged with transformers, both ways, and the logits agree."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from lab.model import (
    GPT_CONFIGS,
    GPTModel,
    load_hf_state,
    load_pretrained,
    save_pretrained,
    to_hf_state,
)
from lab.model.hf import config_from_hf, from_hf_layout, model_of


@torch.no_grad()
def test_transformers_opens_our_folder_and_agrees(
    model: GPTModel, ids: Tensor, tmp_path: Path
) -> None:
    save_pretrained(model, tmp_path)
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
    torch.testing.assert_close(
        load_pretrained(tmp_path)(ids), theirs(ids).logits, rtol=1e-4, atol=1e-4
    )


@torch.no_grad()
def test_a_saved_model_comes_back_bit_for_bit(model: GPTModel, tmp_path: Path) -> None:
    save_pretrained(model, tmp_path)
    again = load_pretrained(tmp_path)
    assert again.config == model.config
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name)), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_a_model_may_be_made_of_the_very_tensors(
    model: GPTModel, ids: Tensor, dtype: torch.dtype
) -> None:
    state = {name: value.to(dtype) for name, value in to_hf_state(model).items()}
    copied, shared = model_of(model.config, state), model_of(model.config, state, sharing=True)
    for name, parameter in copied.named_parameters():
        mine = shared.get_parameter(name)
        assert torch.equal(mine, parameter), name
        assert mine.dtype == torch.float32
        assert not mine.requires_grad
        assert (mine.data_ptr() == state[name].data_ptr()) == (dtype == torch.float32), name
    assert shared.head_weight is shared.token_embedding.weight
    torch.testing.assert_close(shared(ids), copied(ids), rtol=1e-5, atol=1e-5)


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


@pytest.mark.parametrize("tied", [True, False])
def test_logits_and_gradients_of_124m_are_those_of_transformers(tied: bool, tmp_path: Path) -> None:
    """GPT-2 small's shape, tied as it is and untied, in fp32."""
    model = GPTModel(replace(GPT_CONFIGS["medium"], tied=tied), seed=3)
    save_pretrained(model, tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path, attn_implementation="eager")
    theirs.train(False)
    ids = torch.randint(50_257, (1, 33), generator=torch.Generator().manual_seed(4))
    found = model(ids[:, :-1])  # (1, 32, V)
    wanted = theirs(ids[:, :-1]).logits
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
    for logits in (found, wanted):
        F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()  # type: ignore[no-untyped-call]
    by_name = dict(theirs.named_parameters())
    assert by_name.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        their_gradient = by_name[name].grad
        assert their_gradient is not None
        reference = from_hf_layout(name, their_gradient)
        assert (parameter.grad - reference).norm() < 1e-4 * reference.norm() + 1e-7, name


def test_other_architectures_are_refused(model: GPTModel, tmp_path: Path) -> None:
    save_pretrained(model, tmp_path)
    fields = json.loads((tmp_path / "config.json").read_text())
    assert config_from_hf(fields) == model.config
    for change, reason in [
        ({"model_type": "llama"}, "only gpt2"),
        ({"activation_function": "relu"}, "is 'relu', only gelu_new"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon is 1e-06, only 1e-05"),
        ({"n_head": 3}, "n_embd 32 is not a multiple of n_head 3"),
        ({"n_inner": 33}, "n_inner 33 is not a multiple"),
        ({"n_layer": "2"}, "n_layer is '2', not a size"),
        ({"resid_pdrop": 2}, "resid_pdrop is 2"),
    ]:
        with pytest.raises(ValueError, match=reason):
            config_from_hf(fields | change)
    with pytest.raises(ValueError, match="n_head is missing"):
        config_from_hf({k: v for k, v in fields.items() if k != "n_head"})
    with pytest.raises(ValueError, match=r"model_type.*; .*; .*; and 3 more"):
        config_from_hf({name: 0 for name in fields} | {"n_inner": None, "n_embd": 1, "n_head": 1})


@torch.no_grad()
def test_weights_in_several_files_are_put_together(
    model: GPTModel, ids: Tensor, tmp_path: Path
) -> None:
    """As transformers cuts large models."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    save_pretrained(model, whole)
    theirs = GPT2LMHeadModel.from_pretrained(whole)
    theirs.save_pretrained(parts, max_shard_size="40KB")
    assert len(list(parts.glob("*.safetensors"))) > 1
    assert torch.equal(load_pretrained(parts)(ids), model(ids))
    next(parts.glob("*-00002-*")).unlink()
    with pytest.raises(ValueError, match=r"there is no model-00002-of-.*\.safetensors"):
        load_pretrained(parts)
    index = parts / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../whole/model.safetensors"}}))
    with pytest.raises(ValueError, match="no safetensors file of its folder"):
        load_pretrained(parts)


def test_what_is_no_safetensors_is_refused_with_a_way_out(model: GPTModel, tmp_path: Path) -> None:
    save_pretrained(model, tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"model\.safetensors is not a whole safetensors file"):
        load_pretrained(tmp_path)
    weights.rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin: .*never read.*save_pretrained"):
        load_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"there is no config\.json"):
        load_pretrained(tmp_path / "nowhere")


def test_a_shape_larger_than_its_weights_takes_no_memory(model: GPTModel, tmp_path: Path) -> None:
    save_pretrained(model, tmp_path)
    config = tmp_path / "config.json"
    fields = json.loads(config.read_text())
    for change, reason in [
        ({"n_layer": 10**9}, "hold 2 blocks, but n_layer is 1000000000"),
        ({"vocab_size": 10**12}, r"wte.weight has shape \(97, 32\)"),
        ({"n_positions": 10**12}, r"wpe.weight has shape"),
        ({"n_inner": 32 * 10**9}, r"c_fc.weight has shape"),
    ]:
        config.write_text(json.dumps(fields | change))
        with pytest.raises(ValueError, match=reason):
            load_pretrained(tmp_path)
