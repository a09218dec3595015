"""A run that was saved and resumed is the run that never stopped, bit for bit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import GPT2LMHeadModel

from lab.errors import Damaged, PreconditionFailed
from lab.v1 import run_spec_pb2
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.precision import multiplies_bf16
from services.trainer.worker.saving.state import content, read_checkpoint, write
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training, build

FP32, BF16 = run_spec_pb2.PRECISION_FP32, run_spec_pb2.PRECISION_BF16
needs_bf16 = pytest.mark.skipif(
    not multiplies_bf16(torch.device("cpu")), reason="this processor does not multiply bf16"
)


def steps(training: Training, count: int) -> list[float]:
    return [training_step(training).loss for _ in range(count)]


def saved(training: Training, folder: Path) -> Path:
    folder.mkdir()
    write(content(training, full=True), folder)
    return folder


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("half", [0, 3])
@pytest.mark.parametrize("precision", [FP32, pytest.param(BF16, marks=needs_bf16)])
def test_resume_is_bitwise(
    start: StartTraining,
    tmp_path: Path,
    dropout: float,
    half: int,
    precision: "run_spec_pb2.Precision.ValueType",
) -> None:
    start.spec.model.dropout = dropout
    start.spec.budget.precision = precision
    whole = build(start)
    losses = steps(whole, 6)

    first = build(start)
    resumed_losses = steps(first, half)
    folder = saved(first, tmp_path / "half")
    second = build(start)
    steps(second, 1)  # a resume must replace everything, so leave something to replace
    read_checkpoint(second, folder)
    resumed_losses += steps(second, 6 - half)

    assert resumed_losses == losses
    one, other = saved(whole, tmp_path / "one"), saved(second, tmp_path / "other")
    for file in ("model.safetensors", "optim.safetensors"):
        assert (one / file).read_bytes() == (other / file).read_bytes()
    assert second.step == whole.step == 6
    assert second.tokens == whole.tokens


def test_losses_and_seconds_come_back(training: Training, tmp_path: Path) -> None:
    steps(training, 2)
    training.validation_loss = 3.25
    training.clock.set(100.0)
    folder = saved(training, tmp_path / "it")
    training.loss = training.validation_loss = None
    training.clock.set(0.0)
    read_checkpoint(training, folder)
    assert training.loss is not None
    assert training.validation_loss == 3.25
    assert training.clock.secs == pytest.approx(100.0, abs=1.0)


def test_a_checkpoint_opens_in_transformers(training: Training, tmp_path: Path) -> None:
    steps(training, 2)
    theirs = GPT2LMHeadModel.from_pretrained(saved(training, tmp_path / "it"))
    theirs.train(False)
    ids = torch.arange(16)[None]
    with torch.no_grad():
        theirs_say, ours_say = theirs(ids).logits, training.model(ids)
    torch.testing.assert_close(theirs_say, ours_say, rtol=1e-4, atol=1e-4)


def test_the_environment_says_what_equal_bits_depend_on(training: Training, tmp_path: Path) -> None:
    folder = saved(training, tmp_path / "it")
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["threads"] == 1
    assert environment["dtype"] == "float32"
    assert environment["head_chunk_tokens"] == 32


def test_a_peek_holds_the_weights_and_nothing_else(training: Training, tmp_path: Path) -> None:
    write(content(training, full=False), tmp_path)
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {"model.safetensors", "config.json", "run.json"}
    assert json.loads((tmp_path / "run.json").read_text())["run"] == "runs/test"
    assert "transformer.wte.weight" in load_file(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "named"),
    [("seed", "seed"), ("batch", "batch"), ("context", "context"), ("corpus", "fingerprint")],
)
def test_other_data_is_refused(
    start: StartTraining, tmp_path: Path, corpora_folder: Path, change: str, named: str
) -> None:
    folder = saved(build(start), tmp_path / "it")
    if change == "seed":
        start.spec.data.seed += 1
    elif change == "batch":
        start.spec.budget.batch = 2
    elif change == "context":
        start.spec.model.context = 8
    else:
        manifest = corpora_folder / "tiny" / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"fingerprint": "', '"fingerprint": "f'))
    with pytest.raises(PreconditionFailed, match=f"data {named} "):
        read_checkpoint(build(start), folder)


def test_another_shape_is_refused(start: StartTraining, tmp_path: Path) -> None:
    folder = saved(build(start), tmp_path / "it")
    start.spec.model.width = 64
    with pytest.raises(Damaged, match="does not fit its run"):
        read_checkpoint(build(start), folder)


@pytest.mark.parametrize("file", ["state.json", "model.safetensors", "optim.safetensors"])
@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_damage_is_named(training: Training, tmp_path: Path, file: str, harm: str) -> None:
    folder = saved(training, tmp_path / "it")
    if harm == "missing":
        (folder / file).unlink()
    else:
        (folder / file).write_bytes((folder / file).read_bytes()[:20])
    with pytest.raises(Damaged, match="the checkpoint it cannot be read") as damaged:
        read_checkpoint(training, folder)
    assert str(tmp_path) not in damaged.value.message


def test_live_settings_are_part_of_what_a_resume_goes_on_with(
    start: StartTraining, tmp_path: Path
) -> None:
    start.live.learning_rate_scale = 0.5
    whole = build(start)
    losses = steps(whole, 4)
    first = build(start)
    start_losses = steps(first, 2)
    folder = saved(first, tmp_path / "half")

    start.ClearField("live")  # as a fork begins, which knows nothing of its parent's settings
    second = build(start)
    read_checkpoint(second, folder)
    assert second.rate_scale == 0.5
    assert start_losses + steps(second, 2) == losses

    start.live.learning_rate_scale = 1.0  # asked for since
    third = build(start)
    read_checkpoint(third, folder)
    assert third.rate_scale == 1.0
    assert steps(third, 2)[1] != losses[3]


def test_a_resume_elsewhere_says_what_is_different(
    start: StartTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(build(start), tmp_path / "it")
    same = build(start)
    read_checkpoint(same, folder)
    assert same.inexact_reasons == []

    start.spec.budget.threads = 2
    other = build(start)
    monkeypatch.setattr(torch, "__version__", "9.9.0")
    environment = json.loads((folder / "environment.json").read_text())
    environment["processor_flags"] += " avx1024"
    environment.pop("machine")
    (folder / "environment.json").write_text(json.dumps(environment))
    read_checkpoint(other, folder)
    assert other.inexact_reasons == [
        f"torch version: {environment['torch']} before, 9.9.0 now",
        "the kind of machine it was trained with before is not recorded",
        "the instructions of the processor differ: without avx1024",
        "threads: 1 before, 2 now",
    ]


def test_a_fork_reads_on_where_its_parent_was_whatever_its_batch(
    start: StartTraining, tmp_path: Path
) -> None:
    parent = build(start)
    steps(parent, 3)
    folder = saved(parent, tmp_path / "parent")
    start.spec.budget.batch = start.spec.budget.micro_batch = 2
    fork = build(start)
    read_checkpoint(fork, folder, fork=True)
    assert (fork.step, fork.tokens) == (3, 3 * 4 * 16)
    steps(fork, 1)
    assert fork.tokens == 3 * 4 * 16 + 2 * 16
    assert fork.batches.position(fork.step).sequence == 3 * 4 + 2

    again = build(start)  # the fork's own checkpoint resumes, though its row began elsewhere
    read_checkpoint(again, saved(fork, tmp_path / "fork"))
    assert steps(again, 2) == steps(fork, 2)
    assert again.tokens == fork.tokens


def test_a_fork_to_another_text_begins_it_at_its_start(
    start: StartTraining, tmp_path: Path
) -> None:
    parent = build(start)
    steps(parent, 3)
    folder = saved(parent, tmp_path / "parent")
    start.spec.data.seed += 1
    fork = build(start)
    read_checkpoint(fork, folder, fork=True)
    assert fork.batches.position(3).sequence == 0
