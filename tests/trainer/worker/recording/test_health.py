"""Health numbers are what they say, found another way; looking changes nothing about training."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.v1.recording_pb2 import HealthMeasured
from lab.v1.worker_pb2 import StartTraining, WorkerEvent
from services.trainer.worker.hooks import Step
from services.trainer.worker.hooks.health import Health
from services.trainer.worker.recording.health import measure_health
from services.trainer.worker.recording.non_finite import first_non_finite
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training, build


def rms(numbers: Tensor) -> float:
    return float(numbers.double().square().mean().sqrt())


@torch.no_grad()
def overflow(training: Training, *, layer: int) -> None:
    """Makes the second product of a feed-forward larger than a float can be."""
    mlp = training.model.blocks[layer].mlp
    mlp.c_fc.bias.fill_(100)  # type: ignore[union-attr,operator]
    mlp.c_proj.weight.fill_(1e38)  # type: ignore[union-attr,operator]


def batch(training: Training, step: int) -> tuple[Tensor, Tensor]:
    return next(training.batches.of_step(step, micro_batch=training.spec.budget.batch))


@pytest.mark.parametrize(("clip", "own"), [(0.05, True), (0.0, True), (0.05, False)])
def test_tensors_against_what_a_copy_of_them_says(
    start: StartTraining, clip: float, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient by autograd over the whole batch; the update as a difference of copies. With
    kernels of our own where they are, and without."""
    if not own:
        monkeypatch.setattr(
            "services.trainer.worker.recording.health.kernels.operations", lambda: None
        )
    start.spec.optimizer.clip = clip
    start.spec.optimizer.weight_decay = 0.3
    training = build(start)
    for _ in range(3):
        training_step(training)
    parameters = dict(training.model.named_parameters())
    before = {name: p.detach().clone() for name, p in parameters.items()}
    inputs, targets = batch(training, 4)
    loss = F.cross_entropy(training.model(inputs).flatten(0, 1), targets.flatten())
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    measured = measure_health(training, training_step(training))
    assert list(measured.tensors) == list(parameters)
    assert list(measured.weight_rms) == pytest.approx(
        [rms(before[name]) for name in parameters], rel=1e-4
    )
    assert list(measured.gradient_rms) == pytest.approx([rms(g) for g in gradients], rel=1e-3)
    updates = [rms(p.detach() - before[name]) for name, p in parameters.items()]
    assert list(measured.update_rms) == pytest.approx(updates, rel=1e-3)


@torch.no_grad()
def test_layers_against_the_eager_forward_pass(training: Training) -> None:
    """With a block of which three units of the feed-forward are dead."""
    block = training.model.blocks[1]
    block.mlp.c_fc.weight[:3] = 0  # type: ignore[union-attr,operator]
    block.mlp.c_fc.bias[:3] = -10  # type: ignore[union-attr,operator]
    with torch.enable_grad():
        result = training_step(training)
    measured = measure_health(training, result)
    ids = batch(training, 1)[0][:1]
    layers = range(training.spec.model.layers)
    weights = training.model.attention_weights(ids, layers)
    most = torch.arange(1, ids.shape[1] + 1).log()[1:]
    for layer in layers:
        entropy = -torch.special.xlogy(weights[layer], weights[layer]).sum(-1)[..., 1:] / most
        assert measured.attention_entropy[layer] == pytest.approx(float(entropy.mean()), rel=1e-4)
    stream = training.model.transformer["wte"](ids) + training.model.transformer["wpe"].weight
    for layer, each in enumerate(training.model.blocks):
        qkv = each.attn.c_attn(each.ln_1(stream))  # type: ignore[union-attr,operator]
        q, k = (
            part.view(ids.shape[1], 2, -1).transpose(0, 1) for part in qkv[0].split(32, dim=1)[:2]
        )
        scores = (q @ k.transpose(1, 2) / math.sqrt(16)).tril()
        assert measured.largest_logit[layer] == pytest.approx(float(scores.max()), rel=1e-3)
        stream = each(stream)
        assert measured.residual_rms[layer] == pytest.approx(rms(stream), rel=1e-4)
    assert measured.dead_units[0] == 0
    assert measured.dead_units[1] == pytest.approx(3 / 128)


def test_a_layer_the_forward_pass_does_not_call_is_no_silent_gap(training: Training) -> None:
    """The watching hangs on modules being called; a faster forward pass might not."""
    assert len(measure_health(training, training_step(training)).residual_rms) == 2
    training.model.blocks[0].forward = lambda x, **_: x
    with pytest.raises(KeyError):
        measure_health(training, training_step(training))


def test_looking_at_health_changes_no_bit_of_training(start: StartTraining) -> None:
    start.spec.model.dropout = 0.2
    start.spec.hooks.health_every = 2
    quiet, watched = build(start), build(start)
    told: list[WorkerEvent] = []
    hook = Health(told.append)
    for _ in range(5):
        expected = training_step(quiet)
        found = training_step(watched)
        hook.after_step(watched, Step(found, secs=0.1))
        assert (found.loss, found.grad_norm) == (expected.loss, expected.grad_norm)
    assert [event.health_measured.step for event in told] == [1, 2, 4]
    assert all(
        torch.equal(one, other)
        for one, other in zip(quiet.model.parameters(), watched.model.parameters(), strict=True)
    )


@torch.no_grad()
def test_the_first_number_that_is_none_is_named(start: StartTraining) -> None:
    training = build(start)
    overflow(training, layer=1)
    with torch.enable_grad():
        assert training_step(training).skipped_in_a_row == 1
    assert first_non_finite(training) == "output of transformer.h.1.mlp.c_proj"

    training = build(start)
    parameters = dict(training.model.named_parameters())
    with torch.enable_grad():
        training_step(training)
    assert first_non_finite(training) == ""
    for name in ("transformer.wte.weight", "transformer.h.0.attn.c_attn.weight"):
        gradient = parameters[name].grad
        assert gradient is not None
        gradient[0] = float("inf")
    assert first_non_finite(training) == "gradient of transformer.h.0.attn.c_attn.weight"

    parameters["transformer.h.0.ln_2.weight"][3] = float("nan")
    assert first_non_finite(training) == "transformer.h.0.ln_2.weight"


def test_a_step_that_moved_nothing_has_no_health(start: StartTraining) -> None:
    start.spec.hooks.health_every = 1
    training = build(start)
    told: list[WorkerEvent] = []
    overflow(training, layer=1)
    Health(told.append).after_step(training, Step(training_step(training), secs=0.1))
    assert told == []


def test_the_record_is_small(training: Training) -> None:
    """So that thousands of them fit into a journal and onto a stream."""
    measured: HealthMeasured = measure_health(training, training_step(training))
    assert measured.ByteSize() < 60 * len(measured.tensors)
