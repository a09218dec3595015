"""The order of the data is a pure function: of nothing but seed, epoch and corpus."""

import numpy as np
import pytest
import torch

from services.trainer.worker.batches import Batches
from services.trainer.worker.distributed import part_of

CONTEXT, BATCH = 4, 3
TOKENS = np.arange(50, dtype=np.uint16)  # 12 windows of 4 + 1


def batches(*, seed: int = 1, fingerprint: str = "f") -> Batches:
    return Batches(TOKENS, fingerprint=fingerprint, seed=seed, context=CONTEXT, batch=BATCH)


def test_every_epoch_reads_every_window_once_in_another_order() -> None:
    source = batches()
    assert source.epoch_sequences == 12
    first = [source.sequence_at(place) for place in range(12)]
    second = [source.sequence_at(place) for place in range(12, 24)]
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_a_step_reads_the_same_whatever_was_read_before() -> None:
    used = batches()
    for step in (9, 2, 30):
        list(used.of_step(step, micro_batch=1))
    for (inputs, targets), (again, _) in zip(
        used.of_step(6, micro_batch=3), batches().of_step(6, micro_batch=3), strict=True
    ):
        assert torch.equal(inputs, again)
        assert torch.equal(targets, inputs + 1)  # the tokens count up, so the next is one more


def test_the_order_is_the_one_it_was_when_this_test_was_written() -> None:
    """A change of numpy, or of ours, that reorders the data would break every saved run."""
    source = batches()
    assert [source.sequence_at(place) for place in range(12)] == [
        10,
        7,
        5,
        0,
        6,
        9,
        4,
        3,
        11,
        8,
        1,
        2,
    ]


def test_micro_batches_cut_the_same_batch() -> None:
    whole = next(iter(batches().of_step(5, micro_batch=3)))[0]
    parts = [inputs for inputs, _ in batches().of_step(5, micro_batch=1)]
    assert torch.equal(torch.cat(parts), whole)
    uneven = [inputs for inputs, _ in batches().of_step(5, micro_batch=2)]
    assert [len(inputs) for inputs in uneven] == [2, 1]
    assert torch.equal(torch.cat(uneven), whole)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_read_the_batch_among_them(world: int) -> None:
    whole = next(iter(batches().of_step(5, micro_batch=3)))[0]
    parts = [
        inputs
        for rank in range(world)
        for inputs, _ in batches().of_step(
            5, micro_batch=2, part=part_of(rank=rank, world=world, batch=3)
        )
    ]
    assert torch.equal(torch.cat(parts), whole)
    sizes = [len(part_of(rank=rank, world=world, batch=3)) for rank in range(world)]
    assert max(sizes) - min(sizes) <= 1


def test_a_window_is_context_tokens_and_one_more() -> None:
    source = batches()
    inputs, targets = next(iter(source.of_step(1, micro_batch=1)))
    first = source.sequence_at(0) * CONTEXT
    assert inputs.tolist() == [list(range(first, first + 4))]
    assert targets.tolist() == [list(range(first + 1, first + 5))]
    assert inputs.dtype == torch.int64


@pytest.mark.parametrize("other", [batches(seed=2), batches(fingerprint="g")])
def test_seed_and_corpus_decide_the_order(other: Batches) -> None:
    places = range(12)
    assert [other.sequence_at(p) for p in places] != [batches().sequence_at(p) for p in places]


def test_a_corpus_smaller_than_a_batch_is_read_again() -> None:
    small = Batches(TOKENS[:9], fingerprint="f", seed=1, context=4, batch=7)
    assert small.epoch_sequences == 2
    assert next(iter(small.of_step(1, micro_batch=7)))[0].shape == (7, 4)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_steps_go_on_through_the_border_of_two_epochs_wherever_a_run_resumes(world: int) -> None:
    """Batches of 5 from epochs of 12: steps 3 and 5 read the end of one and the start of the next.
    Each step is read by processes that have read nothing before, as after a resume."""

    def fresh() -> Batches:
        return Batches(TOKENS, fingerprint="f", seed=1, context=CONTEXT, batch=5)

    row = [fresh().sequence_at(place) for place in range(30)]
    assert sorted(row[:12]) == sorted(row[12:24]) == list(range(12))
    for step in range(1, 7):
        parts = [part_of(rank=rank, world=world, batch=5) for rank in range(world)]
        read = [
            int(inputs[0, 0]) // CONTEXT
            for part in parts
            for inputs, _ in fresh().of_step(step, micro_batch=1, part=part)
        ]
        assert read == row[(step - 1) * 5 : step * 5]
