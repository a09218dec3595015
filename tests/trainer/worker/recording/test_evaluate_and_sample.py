"""Looking at the model in training changes nothing about the training."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lab.text import Tokenizer
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.recording.evaluate import evaluate
from services.trainer.worker.recording.sample import continue_prompt, draw
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training, build


@torch.no_grad()
def test_the_validation_loss_is_the_mean_over_its_windows(training: Training) -> None:
    training.spec.hooks.evaluate_batches = 1_000  # more than there is: all windows
    found = evaluate(training)
    tokens = torch.from_numpy(training.validation[:].astype("int64"))
    losses = []
    for first in range(0, len(tokens) - 16, 16):
        window = tokens[first : first + 17]
        losses.append(F.cross_entropy(training.model(window[None, :-1])[0], window[1:]))
    assert len(losses) == 3
    assert found.tokens == 48
    assert found.loss == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)


def test_bits_per_byte_are_of_the_text_that_was_predicted(start: StartTraining) -> None:
    """The bits of all losses together, over the bytes of the tokens that were guessed."""
    start.spec.model.vocab_size = Tokenizer.vocab_size
    start.spec.hooks.evaluate_batches = 1_000
    training = build(start)
    ids = Tokenizer().encode(
        "Extraordinarily I had always thought Jack Gisburn a cheap genius. ok?"
    )
    training.validation = np.array(ids, dtype=np.uint16)
    found = evaluate(training)
    text = Tokenizer().decode_bytes(ids[1 : 1 + found.tokens])
    assert found.text_bytes == len(text)
    bits = found.loss * found.tokens / math.log(2)
    assert found.bits_per_byte == pytest.approx(bits / len(text))


def test_the_end_of_a_text_has_no_bytes() -> None:
    tokenizer = Tokenizer()
    ids = [*tokenizer.encode("Grüße, "), tokenizer.eot, *tokenizer.encode("it is."), tokenizer.eot]
    assert tokenizer.count_bytes(ids) == len("Grüße, it is.".encode())


def test_two_evaluations_of_the_same_weights_agree(start: StartTraining) -> None:
    start.spec.model.dropout = 0.5
    training = build(start)
    assert evaluate(training) == evaluate(training)
    assert training.model.training


def test_looking_does_not_disturb_training(start: StartTraining) -> None:
    start.spec.model.dropout = 0.3
    quiet, watched = build(start), build(start)
    expected = [training_step(quiet).loss for _ in range(3)]
    found = []
    for step in range(3):
        evaluate(watched)
        continue_prompt(watched.model, [1, 2], tokens=4, temperature=1, top_k=0, seed=step)
        found.append(training_step(watched).loss)
    assert found == expected


@torch.no_grad()
def test_greedy_takes_the_likeliest_token_each_time(training: Training) -> None:
    written = continue_prompt(training.model, [3, 1], tokens=6, temperature=0, top_k=0, seed=1)
    ids = [3, 1]
    for _ in range(6):
        ids.append(int(training.model(torch.tensor([ids]))[0, -1].argmax()))
    assert written == ids[2:]


def test_the_seed_decides_the_sample(training: Training) -> None:
    def sample(seed: int) -> list[int]:
        return continue_prompt(training.model, [3], tokens=10, temperature=1.0, top_k=0, seed=seed)

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


def test_a_sample_ends_with_the_context(training: Training) -> None:
    written = continue_prompt(
        training.model, list(range(12)), tokens=50, temperature=1.0, top_k=5, seed=1
    )
    assert len(written) == 16 - 12 + 1  # the last token is written and read by nobody


def test_a_sample_ends_at_the_end_of_text(training: Training) -> None:
    likeliest = continue_prompt(training.model, [3], tokens=1, temperature=0, top_k=0, seed=1)[0]
    assert (
        continue_prompt(
            training.model, [3], tokens=5, temperature=0, top_k=0, seed=1, end=likeliest
        )
        == []
    )


def test_top_k_draws_from_the_k_likeliest_only() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0, 2.9]]).repeat(200, 1)
    generator = torch.Generator().manual_seed(1)
    drawn = draw(logits, temperature=1.0, top_k=2, generator=generator)
    assert set(drawn.flatten().tolist()) == {1, 3}


def test_temperature_flattens() -> None:
    logits = torch.tensor([[0.0, 3.0]]).repeat(500, 1)
    cold, hot = (
        draw(logits, temperature=t, top_k=0, generator=torch.Generator().manual_seed(1)).sum()
        for t in (0.3, 5.0)
    )
    assert cold > 490 > 400 > hot
