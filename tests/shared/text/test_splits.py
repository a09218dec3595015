"""Documents keep their split whatever happens to others; shards are invisible to who reads."""

from pathlib import Path

import numpy as np
import pytest

from lab.errors import Damaged
from lab.text import open_splits
from lab.text.corpus_manifest import read_manifest
from lab.text.from_tokens import write_tokens
from lab.text.shards import HEADER_BYTES
from lab.text.splits import split_sizes

RANDOM = np.random.default_rng(5)
# Documents that can be told apart: each begins with its own number.
DOCUMENTS = [[n, *RANDOM.integers(1_000, 2_000, 1 + n % 7).tolist()] for n in range(300)]


def opened(tmp_path: Path, documents: list[list[int]], name: str, **options: int) -> list[set[int]]:
    write_tokens(tmp_path / name, documents, **options)
    splits = open_splits(tmp_path / name, validation_fraction=0.2)
    return [{t for t in row[:].tolist() if t < 1_000} for row in (splits.train, splits.validation)]


def test_every_document_is_whole_in_one_split_in_its_order(tmp_path: Path) -> None:
    train, validation = opened(tmp_path, DOCUMENTS, "all")
    assert train | validation == set(range(300))
    assert not train & validation
    assert 30 < len(validation) < 90  # a fifth, give or take
    splits = open_splits(tmp_path / "all", validation_fraction=0.2)
    for row, numbers in ((splits.train, train), (splits.validation, validation)):
        expected = [token for n in sorted(numbers) for token in DOCUMENTS[n]]
        assert row[:].tolist() == expected
        assert len(row) == len(expected)


def test_a_document_keeps_its_split_when_others_come_and_go(tmp_path: Path) -> None:
    train, validation = opened(tmp_path, DOCUMENTS, "all")
    fewer_train, fewer_validation = opened(tmp_path, DOCUMENTS[::-2], "fewer")
    assert fewer_train == train - set(range(0, 300, 2))
    assert fewer_validation == validation - set(range(0, 300, 2))


def test_shards_are_invisible(tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    write_tokens(one, DOCUMENTS)
    assert len(write_tokens(many, DOCUMENTS, shard_tokens=11).shards) > 100
    first, second = (open_splits(folder, validation_fraction=0.2) for folder in (one, many))
    assert first.fingerprint == second.fingerprint
    whole = first.train[:]
    for start in range(0, len(whole), 13):
        for length in (0, 1, 30):
            expected = whole[start : start + length].tolist()
            assert first.train[start : start + length].tolist() == expected
            assert second.train[start : start + length].tolist() == expected
    assert second.validation[-5:].tolist() == first.validation[:].tolist()[-5:]
    assert second.train[5:].dtype == np.uint16


@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.5, 0.999])
@pytest.mark.parametrize("documents", [DOCUMENTS, DOCUMENTS[:7]])
def test_sizes_are_those_of_the_splits(
    tmp_path: Path, fraction: float, documents: list[list[int]]
) -> None:
    manifest = write_tokens(tmp_path / "it", documents, shard_tokens=100)
    splits = open_splits(tmp_path / "it", validation_fraction=fraction)
    sizes = split_sizes(tmp_path / "it", manifest, validation_fraction=fraction)
    assert sizes == (len(splits.train), len(splits.validation))
    assert sum(sizes) == manifest.tokens


def test_few_documents_are_split_by_position(tmp_path: Path) -> None:
    manifest = write_tokens(tmp_path / "few", DOCUMENTS[:99])
    stream = [token for document in DOCUMENTS[:99] for token in document]
    splits = open_splits(tmp_path / "few", validation_fraction=0.25)
    cut = len(stream) - len(stream) // 4
    assert (splits.train[:].tolist(), splits.validation[:].tolist()) == (stream[:cut], stream[cut:])
    assert read_manifest(tmp_path / "few") == manifest
    assert "last validation_fraction" in (tmp_path / "few" / "manifest.json").read_text()


def test_a_shard_is_what_llm_c_reads(tmp_path: Path) -> None:
    write_tokens(tmp_path / "it", [[1, 2, 50_256]])
    data = (tmp_path / "it" / "tokens-00000.bin").read_bytes()
    assert np.frombuffer(data[:HEADER_BYTES], dtype="<i4")[:4].tolist() == [20240520, 1, 3, 2]
    assert np.frombuffer(data[HEADER_BYTES:], dtype="<u2").tolist() == [1, 2, 50_256]


@pytest.mark.parametrize("file", ["tokens-00001.bin", "documents.idx", "documents.key"])
@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_damage_is_named(tmp_path: Path, file: str, harm: str) -> None:
    folder = tmp_path / "it"
    write_tokens(folder, DOCUMENTS, shard_tokens=500)
    if harm == "missing":
        (folder / file).unlink()
    else:
        (folder / file).write_bytes((folder / file).read_bytes()[:-8])
    with pytest.raises(Damaged, match=f"corpus it: {file} has [0-9,]+ bytes instead of"):
        open_splits(folder, validation_fraction=0.1)
