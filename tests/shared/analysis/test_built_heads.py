"""Two models built by hand to repeat what they read; the scorecard tells them apart.

To say what came after a token last time, one head must write to each token which one stood before
it, and a later one look for the token whose predecessor equals the present one (Elhage et al.
2021). Here the weights that do so are set outright: a token, its place and its predecessor each
have numbers of their own in the stream, and the heads move them about.
"""

import torch
from torch import Tensor

from lab.analysis.head_scores import BEHAVIOURS, LABEL_AT, head_scores, label
from lab.analysis.probes import natural_probe, repeated_probe
from lab.analysis.token_losses import token_losses
from lab.model import GPTConfig, GPTModel

VOCAB, LONGEST = 20, 6
CONTEXT = 2 * LONGEST + 1
D = 32  # of a head; wider than the vocabulary and than the context
WIDTH = 2 * D
TOKEN, PLACE, BEFORE = 0, VOCAB, VOCAB + CONTEXT  # where their numbers begin in the stream
SHARP = 20.0
REPEATED = repeated_probe(vocab_size=VOCAB, start=0, length=LONGEST, draws=4)
TEXT = natural_probe([REPEATED.ids[0].tolist()])


@torch.no_grad()
def _built(*, layers: int) -> GPTModel:
    """Head 0.0 looks one token back and copies it; with two layers head 1.0 looks up and copies."""
    config = GPTConfig(
        layers=layers, width=WIDTH, heads=2, context=CONTEXT, ffn_multiple=1, vocab_size=VOCAB
    )
    model = GPTModel(config).eval()
    for name, parameter in model.named_parameters():
        parameter.fill_(1.0 if ".ln_" in name and name.endswith("weight") else 0.0)
    model.token_embedding.weight[:, TOKEN : TOKEN + VOCAB] = torch.eye(VOCAB)
    places = model.get_parameter("transformer.wpe.weight")
    places[:, PLACE : PLACE + CONTEXT] = torch.eye(CONTEXT)
    one_back = torch.eye(CONTEXT).roll(-1, 0)  # place p asks for p - 1
    one_back[-1] = 0
    _wire(model, 0, query=(PLACE, one_back), key=PLACE, value=TOKEN, to=BEFORE)
    if layers > 1:
        _wire(model, 1, query=(TOKEN, torch.eye(VOCAB)), key=BEFORE, value=TOKEN, to=TOKEN)
    return model


def _wire(
    model: GPTModel, layer: int, *, query: tuple[int, Tensor], key: int, value: int, to: int
) -> None:
    """Head 0 of a layer: query numbers, through a matrix, against key numbers; copies value numbers
    to others. Of c_attn's rows the first WIDTH are queries, then keys, then values."""
    attn = f"transformer.h.{layer}.attn"
    inputs = model.get_parameter(f"{attn}.c_attn.weight")  # (3C, C)
    begins, through = query
    n = len(through)
    inputs[:n, begins : begins + n] = SHARP * through
    inputs[WIDTH : WIDTH + n, key : key + n] = torch.eye(n)
    inputs[2 * WIDTH : 2 * WIDTH + VOCAB, value : value + VOCAB] = torch.eye(VOCAB)
    model.get_parameter(f"{attn}.c_proj.weight")[to : to + VOCAB, :VOCAB] = torch.eye(VOCAB)


def _labels(model: GPTModel) -> dict[str, tuple[str, bool]]:
    made_up, text = head_scores(model, REPEATED), head_scores(model, TEXT)
    return {
        f"{layer}.{head}": label(made_up.corrected[layer, head], text.corrected[layer, head])
        for layer in range(model.config.layers)
        for head in range(2)
    }


def test_two_layers_have_a_previous_token_head_and_an_induction_head() -> None:
    assert _labels(_built(layers=2)) == {
        "0.0": ("previous", True),
        "0.1": ("unlabelled", False),  # looks everywhere alike
        "1.0": ("induction", True),
        "1.1": ("unlabelled", False),
    }


def test_one_layer_has_no_induction_head() -> None:
    model = _built(layers=1)
    assert _labels(model) == {"0.0": ("previous", True), "0.1": ("unlabelled", False)}
    scores = head_scores(model, REPEATED).corrected[:, :, BEHAVIOURS.index("induction")]
    assert float(scores.max()) < LABEL_AT


def test_without_the_first_head_the_second_finds_nothing() -> None:
    model = _built(layers=2)
    with torch.no_grad():
        model.get_parameter("transformer.h.0.attn.c_proj.weight").zero_()
    assert _labels(model)["1.0"] == ("unlabelled", False)


def test_the_second_copy_is_foreseen_by_two_layers_only() -> None:
    ids = REPEATED.ids[0].tolist()
    second = slice(LONGEST + 2, CONTEXT)
    two, one = (token_losses(_built(layers=layers), ids) for layers in (2, 1))
    # Nothing is thought likelier than what comes; one layer thinks the token itself likelier.
    assert two.rank[second].tolist() == [0] * (LONGEST - 1)
    assert one.rank[second].tolist() == [1] * (LONGEST - 1)
    assert (two.loss < one.loss)[second].all()
