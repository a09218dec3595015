"""Probe records: the same texts from before the first update to the end, whatever is saved."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lab.analysis.head_scores import head_scores
from lab.analysis.probes import natural_probe
from lab.text import Tokenizer
from lab.v1.recording_pb2 import ProbeRecord
from lab.v1.worker_pb2 import StartTraining, WorkerEvent
from services.trainer.worker.hooks import Step
from services.trainer.worker.hooks.probes import ProbeLooks, is_due
from services.trainer.worker.recording.probing import MAP_CELLS, choose_probes, probe
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training, build
from tests.trainer.worker.worker_process import Worker


def test_looks_are_close_together_while_the_model_is_young() -> None:
    steps = [step for step in range(1_001) if is_due(step, 250)]
    assert steps == [0, 1, 2, 4, 8, 16, 32, 64, 128, 250, 500, 750, 1_000]


def look(training: Training) -> ProbeRecord:
    return probe(training, choose_probes(training))


@torch.no_grad()
def test_losses_and_attention_are_those_of_a_plain_forward_pass(training: Training) -> None:
    record = look(training)
    assert (record.step, record.layers, record.heads, len(record.texts)) == (0, 2, 2, 3)
    for text in record.texts:
        ids = torch.tensor([token.id for token in text.tokens])
        losses = F.cross_entropy(training.model(ids[None])[0, :-1], ids[1:], reduction="none")
        assert list(text.losses) == pytest.approx(losses.tolist(), rel=1e-4)
        weights = training.model.attention_weights(ids[None], range(2))
        bytes_ = np.frombuffer(text.attention.data, np.uint8).reshape(text.attention.shape)
        shown = (bytes_ / 255.0) ** 2
        for layer in range(2):
            assert np.abs(shown[layer] - weights[layer][0].numpy()).max() < 0.005


@torch.no_grad()
def test_scores_are_those_of_the_one_definition(training: Training) -> None:
    record = look(training)
    ids = [[token.id for token in text.tokens] for text in record.texts]
    scores = head_scores(training.model, natural_probe(ids))
    assert list(record.natural.raw) == pytest.approx(scores.raw.flatten().tolist(), nan_ok=True)
    assert list(record.natural.behaviours) == ["previous", "duplicate", "induction", "sink", "self"]
    assert len(record.natural.entropy) == 4
    synthetic = np.array(record.synthetic.corrected).reshape(2, 2, 5)
    assert np.isfinite(synthetic).all()
    assert np.abs(synthetic).max() < 0.5  # nobody has learned anything yet


def test_texts_of_the_user_may_be_of_any_length(start: StartTraining) -> None:
    start.spec.model.vocab_size = 50_257
    start.spec.model.context = 128
    start.spec.hooks.probe_texts[:] = ["I had always thought " * 30, "Yes yes", "A", "To be or not"]
    training = build(start)
    record = look(training)
    tokenizer = Tokenizer()
    texts = [tokenizer.decode([token.id for token in text.tokens]) for text in record.texts]
    assert texts[1:] == ["Yes yes", "To be or not"]  # one token alone predicts nothing
    assert len(record.texts[0].tokens) == 64
    assert list(record.texts[0].attention.shape) == [2, 2, MAP_CELLS, MAP_CELLS]
    assert list(record.texts[1].attention.shape) == [2, 2, 2, 2]
    for text in record.texts:  # they are read side by side, and none notices the others
        ids = torch.tensor([token.id for token in text.tokens])
        with torch.no_grad():
            logits = training.model(ids[None])[0, :-1]
        losses = F.cross_entropy(logits, ids[1:], reduction="none")
        assert list(text.losses) == pytest.approx(losses.tolist(), rel=1e-4)


def test_looking_changes_no_bit_of_training(start: StartTraining) -> None:
    start.spec.model.dropout = 0.2
    quiet, watched = build(start), build(start)
    for _ in range(3):
        look(watched)
        assert training_step(watched).loss == training_step(quiet).loss


def test_a_run_is_looked_at_before_its_first_update_and_at_its_end(start: StartTraining) -> None:
    start.spec.hooks.probe_every = 4
    start.spec.budget.steps = 6
    training = build(start)
    told: list[WorkerEvent] = []
    hook = ProbeLooks(told.append)
    hook.on_start(training)
    while training.step < 6:
        hook.after_step(training, Step(training_step(training), secs=0.1))
    hook.on_end(training)
    records = [event.probe_recorded for event in told]
    assert [record.step for record in records] == [0, 1, 2, 4, 6]
    assert records[0].losses[0] == pytest.approx(np.log(97), abs=0.2)
    means = [sum(text.losses) / len(text.losses) for text in records[0].record.texts]
    assert list(records[0].losses) == pytest.approx(means)


def test_a_resumed_run_is_not_looked_at_twice(
    worker: Callable[[StartTraining | None], Worker], start: StartTraining
) -> None:
    """Saving is off but for the one checkpoint that is resumed from."""
    start.spec.hooks.probe_every = 4
    start.spec.hooks.health_every = 4
    start.spec.hooks.checkpoint_every = 4
    first = worker(start)
    staged = first.until("staged").staged
    first.rest()
    start.resume_folder = staged.folder
    second = worker(start)
    second.rest()

    def looked(one: Worker, kind: str) -> list[int]:
        return [getattr(e, kind).step for e in one.seen if e.WhichOneof("event") == kind]

    assert looked(first, "probe_recorded") == [0, 1, 2, 4, 8]
    assert looked(second, "probe_recorded") == [8]
    assert looked(first, "health_measured") == [1, 4, 8]
    assert looked(second, "health_measured") == [8]
