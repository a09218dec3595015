"""What the commands about the inside of a model write, read back by other programs."""

from __future__ import annotations

import csv
import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from typer.testing import CliRunner

from lab.analysis.maxima import maxima
from lab.cli.app import app
from lab.cli.inside import attention, texts
from lab.cli.inside.asking import check_alike, check_text
from lab.cli.inside.report import Report, csv_of, number, png_of, probability, tensors_of
from lab.client.arrays import arrays, numbers
from lab.errors import InvalidArgument, LabError
from lab.model import GPTConfig, GPTModel
from lab.v1 import analysis_service_pb2 as messages
from lab.v1 import tensor_pb2
from lab.v1.analysis_service_pb2 import AnalyseResponse
from lab.v1.model_pb2 import LoadedModel
from lab.v1.run_spec_pb2 import ModelSpec
from lab.v1.tensor_pb2 import NamedTensor, Tensor, Token
from services.inference.analysis.asked import Array, plain
from services.inference.analysis.encoding import encode

VALUES = torch.tensor([[0.0, 0.5, 1.0], [0.25, 0.75, 0.125]])


def _answer() -> AnalyseResponse:
    return AnalyseResponse(
        tensors=[
            NamedTensor(name="loss", tensor=encode(VALUES)),
            NamedTensor(name="top_ids", tensor=encode(torch.tensor([[7, 50_256]]))),
        ],
        differences=[NamedTensor(name="loss", tensor=encode(-VALUES))],
        digest="abc",
        step=7,
    )


def test_arrays_are_decoded_without_any_library() -> None:
    found = arrays(_answer().tensors)
    assert found["loss"].shape == (2, 3)
    assert found["loss"].rows() == VALUES.tolist()
    assert found["loss"].at(1, 2) == 0.125
    assert list(found["loss"].part(1).flat) == [0.25, 0.75, 0.125]
    assert found["top_ids"].at(0, 1) == 50_256
    with pytest.raises(IndexError):
        found["loss"].at(0, 3)


@pytest.mark.parametrize(
    "dtype", [tensor_pb2.DTYPE_UINT8_SQRT, tensor_pb2.DTYPE_UINT8_SQRT_TRIANGLE]
)
def test_one_byte_weights_become_fractions_again(dtype: tensor_pb2.Dtype.ValueType) -> None:
    maps = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(1)).tril()
    back = numbers(encode(maps, dtype))
    assert back.shape == (2, 3, 5, 5)
    assert np.abs(np.asarray(back.flat).reshape(back.shape) - maps.numpy()).max() <= 0.005


def test_an_array_that_is_none_is_refused() -> None:
    with pytest.raises(LabError, match="came with 1 numbers"):
        numbers(Tensor(shape=[2], dtype=tensor_pb2.DTYPE_FLOAT32, data=b"\0" * 4))
    with pytest.raises(LabError, match="update it"):
        numbers(Tensor(shape=[1], dtype=77, data=b"\0"))  # type: ignore[arg-type]


def test_tensors_open_with_safetensors() -> None:
    found = load(tensors_of(_answer()))
    assert set(found) == {"loss", "top_ids", "difference.loss"}
    np.testing.assert_array_equal(found["loss"], VALUES.numpy())
    np.testing.assert_array_equal(found["difference.loss"], -VALUES.numpy())
    assert found["top_ids"].dtype == np.int32


def test_a_picture_is_a_png_with_a_square_per_number() -> None:
    data = png_of(Report("", [], [], picture=[*VALUES.tolist(), [float("nan"), 0.0, 0.0]]))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, place = {}, 8
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, place + 8 + length)
        assert checksum == zlib.crc32(kind + body)
        chunks[kind] = body
        place += length + 12
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (24, 24, 8, 2, 0, 0, 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(24, 1 + 24 * 3)
    assert (lines[:, 0] == 0).all()  # unfiltered
    brightness = lines[:, 1:].reshape(24, 24, 3).astype(int).sum(-1)
    squares = brightness[4::8, 4::8]
    assert (np.kron(squares, np.ones((8, 8), int)) == brightness).all()
    assert (squares.flatten()[:6].argsort() == VALUES.flatten().argsort().numpy()).all()
    assert squares[2].tolist() == [squares.min()] * 3  # what is no number is dark


def test_what_has_no_picture_says_what_else_there_is() -> None:
    with pytest.raises(InvalidArgument, match="has no picture; --csv FILE"):
        png_of(Report("", [], []))


def test_a_table_with_hostile_tokens_stays_a_table() -> None:
    report = Report("", ["token", ">loss"], [['a,"\n', "1.0"], ["<b>", "2.0"]])
    assert list(csv.reader(io.StringIO(csv_of(report)))) == [
        ["token", "loss"],
        ['a,"\n', "1.0"],
        ["<b>", "2.0"],
    ]


def test_numbers_are_short_and_no_probability_is_shown_as_none() -> None:
    assert [number(-0.0001), number(float("nan")), number(0.25, sign=True)] == [
        "0.000",
        "",
        "+0.250",
    ]
    assert [probability(p) for p in (1.0, 0.25, 0.00042, 0)] == ["1.00", "0.25", "0.00042", "0"]


def test_bytes_that_are_no_text_are_named() -> None:
    check_text("café \x1b[31m <|endoftext|>")
    with pytest.raises(InvalidArgument, match="after character 1"):
        check_text(b"a\xff\xfeb".decode(errors="surrogateescape"))


TEXT = (5, 3, 5, 9)


def _model(*, layers: int) -> GPTModel:
    shape = GPTConfig(layers=layers, width=8, heads=2, context=8, vocab_size=20)
    return GPTModel(shape, seed=layers).eval()


def _compared(one: Mapping[str, Array], other: Mapping[str, Array]) -> AnalyseResponse:
    def named(found: Mapping[str, Array]) -> list[NamedTensor]:
        return [
            NamedTensor(name=name, tensor=encode(array.values)) for name, array in found.items()
        ]

    words = [Token(id=id, text=f"t{id}") for id in TEXT]
    return AnalyseResponse(tensors=named(one), other_tensors=named(other), tokens=words)


def _table(monkeypatch: pytest.MonkeyPatch, command: str, answer: AnalyseResponse) -> list[Any]:
    """What `lab COMMAND a@1 --compare b@2 --csv -` writes of an answer."""
    module = attention if command == "attention" else texts
    monkeypatch.setattr(module, "ask", lambda *_, **__: answer)
    asked = [command, "a@1", "--text", "t", "--compare", "b@2", "--csv", "-"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    return list(csv.reader(io.StringIO(done.stdout)))


def test_largest_numbers_of_two_models_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [plain(maxima(_model(layers=layers), TEXT, top=2)) for layers in (1, 2)]
    heading, *rows = _table(monkeypatch, "maxima", _compared(*found))
    assert heading[:5] == ["what", "layer", "index", "token", "value"]
    assert heading[5:] == ["other index", "other token", "other value"]
    assert [(row[0], row[1]) for row in rows[:4]] == 2 * [("neuron", "0")] + 2 * [("neuron", "1")]
    for row, layer, rank in ((rows[0], 0, 0), (rows[3], 1, 1)):
        assert row[7] == f"{float(found[1]['neuron_values'].values[layer, rank]):.3f}"
        assert row[6] == f"t{TEXT[int(found[1]['neuron_places'].values[layer, rank])]}"
    # The first has one layer only.
    assert rows[0][4] == f"{float(found[0]['neuron_values'].values[0, 0]):.3f}"
    assert rows[3][2:5] == ["", "", ""]


def test_attention_compared_is_what_the_other_gives_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = torch.tensor([TEXT])
    maps = [
        {"weights": Array(_model(layers=layers).attention_weights(ids, [0])[0][:, :1])}
        for layers in (1, 2)
    ]
    _, *rows = _table(monkeypatch, "attention", _compared(*maps))
    got = np.array([[float(cell) for cell in row[1:]] for row in rows])
    wanted = (maps[1]["weights"].values - maps[0]["weights"].values)[0, 0]
    np.testing.assert_allclose(got, wanted.numpy(), atol=1e-6)
    assert np.abs(got).max() > 0.001


def test_what_goes_by_layer_and_head_is_refused_of_other_shapes() -> None:
    one = LoadedModel(spec=ModelSpec(layers=6, heads=5))
    other = LoadedModel(spec=ModelSpec(layers=2, heads=5))
    for question in (messages.HeadQuestion(), messages.LensQuestion()):
        check_alike(one, one, question)
        with pytest.raises(InvalidArgument, match="has 2 × 5 layers × heads and the model 6 × 5"):
            check_alike(one, other, question)
    check_alike(one, other, messages.MaximaQuestion())
    check_alike(one, other, messages.TokenQuestion())
