"""Spikes are flagged with what caused them, once, and by a resumed run as by one that never was."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.text.from_tokens import write_tokens
from lab.v1 import recording_pb2
from lab.v1.worker_pb2 import StartTraining, WorkerEvent
from services.trainer.worker.hooks import Step
from services.trainer.worker.hooks.spikes import WORST, Spikes
from services.trainer.worker.recording.spikes import (
    FEWEST_STEPS,
    WINDOW_STEPS,
    Window,
    Windows,
    log_of,
)
from services.trainer.worker.step import training_step
from services.trainer.worker.training import build


def noise(count: int, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [3.0 + chance.gauss(0, 0.05) for _ in range(count)]


def test_a_value_far_above_the_others_is_flagged_and_its_distance_told() -> None:
    window = Window(least=0.001)
    assert [window.take(value) for value in noise(100)] == [None] * 100
    found = window.take(3.6)
    assert found is not None
    assert found.median == pytest.approx(3.0, abs=0.02)
    assert found.z == pytest.approx(0.6 / 0.05, rel=0.3)
    assert window.take(3.01) is None
    assert window.take(2.0) is None  # far below is luck, not trouble


def test_a_row_of_outliers_is_one_spike() -> None:
    window = Window(least=0.001)
    for value in noise(100):
        window.take(value)
    assert [window.take(4.0) is not None for _ in range(5)] == [True, False, False, False, False]
    assert window.take(3.0) is None
    assert window.take(4.0) is not None


def test_nothing_is_flagged_before_it_is_known_what_is_usual() -> None:
    window = Window(least=0.001)
    early = [*noise(FEWEST_STEPS - 1), 9.0]
    assert [window.take(value) for value in early] == [None] * FEWEST_STEPS


def test_a_curve_that_hardly_moves_has_no_spikes() -> None:
    """Its median distance is 0, and any change would be infinitely far."""
    window = Window(least=0.002)
    for _ in range(100):
        window.take(0.01)
    assert window.take(0.015) is None
    assert window.take(0.5) is not None


def test_the_wobbles_of_a_model_that_knows_its_text_are_no_spikes() -> None:
    """Losses of steps 1,571 to 1,810 of a model of 2 layers and width 64 on The Verdict alone."""
    recorded = Path(__file__).with_name("learned_by_heart.json")
    losses = [float(loss) for loss in json.loads(recorded.read_text())]
    narrow = Window(least=0.002)
    assert sum(narrow.take(loss) is not None for loss in losses) == 3
    windows = Windows()
    assert [loss for loss in losses if windows.loss.take(loss)] == []
    assert windows.loss.take(0.1) is not None


def test_the_windows_survive_a_checkpoint() -> None:
    whole = Windows()
    for value in noise(WINDOW_STEPS + 40):
        whole.loss.take(value)
    whole.loss.take(5.0)
    resumed = Windows()
    resumed.restore(json.loads(json.dumps(whole.state())))
    rest = [5.0, 3.0, 3.4, 3.0, 6.0]
    assert [resumed.loss.take(v) for v in rest] == [whole.loss.take(v) for v in rest]
    Windows().restore({})  # a checkpoint of an older lab


def test_the_batch_that_made_a_spike_is_named(start: StartTraining) -> None:
    """One window of the text is noise; the model learns the others, and stumbles over it."""
    context, bad = start.spec.model.context, 17
    tokens = np.array([n * 7 % 31 + 1 for n in range(600)])
    poison = slice(bad * context + 1, (bad + 1) * context)
    tokens[poison] = np.random.default_rng(3).integers(40, 97, context - 1)
    start.spec.data.corpus = "poisoned"
    write_tokens(Path(start.corpora_folder) / "poisoned", [tokens])
    start.spec.optimizer.learning_rate = 1e-2
    start.spec.budget.steps = 150
    training = build(start)
    told: list[WorkerEvent] = []
    hook = Spikes(told.append)
    while training.step < 150:
        hook.after_step(training, Step(training_step(training), secs=0.1))
    spikes = [event.spike_flagged for event in told]
    losses = [s for s in spikes if s.kind == recording_pb2.SPIKE_KIND_LOSS]
    assert losses, "the poisoned batch was never flagged"
    for spike in losses:
        assert spike.z > 6
        assert spike.data_position == (spike.step - 1) * start.spec.budget.batch
        place = spike.data_position + spike.worst[0].index
        assert training.batches.sequence_at(place) == bad
        found = [each.loss for each in spike.worst]
        assert found == sorted(found, reverse=True)


def test_the_usual_gradient_norm_is_told_as_a_norm_not_as_its_logarithm(
    start: StartTraining,
) -> None:
    start.spec.schedule.warmup_steps = 0
    training = build(start)
    for factor in np.linspace(0.9, 1.1, 41):
        training.windows.log_grad_norm.take(log_of(1e-4 * factor))
    told: list[WorkerEvent] = []
    Spikes(told.append).after_step(training, Step(training_step(training), secs=0.1))
    [spike] = [event.spike_flagged for event in told]
    assert spike.kind == recording_pb2.SPIKE_KIND_GRAD_NORM
    assert spike.median == pytest.approx(1e-4)
    assert spike.value > 1e-3


def test_a_step_that_is_no_number_is_flagged_with_where_it_began(start: StartTraining) -> None:
    start.spec.budget.batch = 6
    training = build(start)
    with torch.no_grad():
        mlp = training.model.blocks[0].mlp
        mlp.c_fc.bias.fill_(100)  # type: ignore[union-attr,operator]
        mlp.c_proj.weight.fill_(1e38)  # type: ignore[union-attr,operator]
    told: list[WorkerEvent] = []
    hook = Spikes(told.append)
    hook.after_step(training, Step(training_step(training), secs=0.1))
    spike = told[0].spike_flagged
    assert spike.kind == recording_pb2.SPIKE_KIND_NON_FINITE
    assert spike.first_tensor == "output of transformer.h.0.mlp.c_proj"
    assert len(spike.worst) == WORST
    assert "First to be no number: output of transformer.h.0.mlp.c_proj" in (
        told[1].log_written.text
    )
    assert not training.windows.loss.values  # nothing to compare others with
