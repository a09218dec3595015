"""Saving beside the training: when, what, and what it may not disturb."""

import errno
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from lab import manifest
from lab.errors import Damaged
from lab.v1.checkpoint_pb2 import CheckpointFile
from lab.v1.event_pb2 import StepMeasured
from lab.v1.run_pb2 import LiveSettings
from lab.v1.worker_pb2 import (
    STAGING_KIND_CHECKPOINT,
    STAGING_KIND_PEEK,
    STAGING_KIND_WEIGHTS,
    CheckpointStaged,
    PauseTraining,
    ResumeTraining,
    StageCheckpoint,
    StartTraining,
    WorkerCommand,
    WorkerEvent,
)
from services.trainer.worker.boundary import StepBoundary
from services.trainer.worker.control import Control
from services.trainer.worker.events import Telling
from services.trainer.worker.hooks import Step
from services.trainer.worker.hooks.checkpoints import Checkpoints
from services.trainer.worker.recording.evaluate import Evaluation
from services.trainer.worker.saving import saver
from services.trainer.worker.saving.buffers import Buffers
from services.trainer.worker.saving.pacing import Pace
from services.trainer.worker.saving.state import Content, content, write
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training, build
from tests.trainer.worker.worker_process import Worker

_RESUME = WorkerCommand(resume=ResumeTraining())
BITS = ("model.safetensors", "optim.safetensors")


class Saved:
    """A training with its saves, one step at a time."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.told: list[WorkerEvent] = []
        self.control = Control()
        self.tell = Telling(self.told.append)
        self.checkpoints = Checkpoints(self.tell, self.control)
        self.boundary = StepBoundary(self.control, self.checkpoints, self.told.append)
        self.checkpoints.on_start(training)

    def step(self, *, wait: bool = True) -> None:
        self.boundary.cross(self.training)
        result = training_step(self.training)
        self.checkpoints.after_step(self.training, Step(result, secs=0.01))
        if wait:
            self.checkpoints.saver.wait()

    def ask(self, request_id: str, *, peek: bool = False) -> None:
        kind = STAGING_KIND_PEEK if peek else STAGING_KIND_CHECKPOINT
        self.checkpoints.answer(self.training, StageCheckpoint(kind=kind, request_id=request_id))

    @property
    def staged(self) -> list[CheckpointStaged]:
        return [event.staged for event in self.told if event.HasField("staged")]

    @property
    def said(self) -> list[str]:
        return [event.log_written.text for event in self.told if event.HasField("log_written")]


@pytest.fixture
def saved(training: Training) -> Saved:
    return Saved(training)


class Gate:
    """Holds writers back until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        monkeypatch.setattr(saver, "write", self._write)

    def _write(
        self, content: Content, folder: Path, *, rest: Callable[[], None]
    ) -> list[CheckpointFile]:
        self.reached.set()
        assert self.open.wait(60)
        return write(content, folder, rest=rest)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open.set()


def test_off_means_no_byte_on_disk_and_none_in_memory(saved: Saved, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    for _ in range(4):
        saved.step()
    saved.checkpoints.on_end(saved.training)
    assert sorted(tmp_path.rglob("*")) == before
    assert saved.checkpoints.saver.buffers.size_bytes == 0
    assert not saved.staged


@pytest.mark.parametrize(
    ("policy", "steps", "because"),
    [
        ({"checkpoint_every": 3}, [3, 6], "every 3 steps"),
        ({"checkpoint_log_spaced": True}, [1, 2, 4], "1, 2, 4, 8 and so on steps"),
    ],
)
def test_steps_are_saved_as_the_policy_says(
    saved: Saved, policy: dict[str, int], steps: list[int], because: str
) -> None:
    for name, value in policy.items():
        setattr(saved.training.spec.hooks, name, value)
    for _ in range(7):
        saved.step()
    assert [staged.step for staged in saved.staged] == steps
    assert {staged.saved_because for staged in saved.staged} == {because}
    assert all(staged.write_secs >= staged.stall_secs > 0 for staged in saved.staged)


def test_weights_only_is_a_peek_that_is_kept(saved: Saved) -> None:
    """What is asked for in full is full. Where a full one is, weights alone would add nothing."""
    saved.training.spec.hooks.checkpoint_every = 2
    saved.training.live.checkpoint_weights_only = True
    saved.step()
    saved.step()
    saved.ask("full")
    saved.checkpoints.saver.wait()
    saved.checkpoints.save_last(saved.training, because="stopped", weights_only=True)
    assert [(one.kind, one.step, one.saved_because) for one in saved.staged] == [
        (STAGING_KIND_WEIGHTS, 2, "every 2 steps"),
        (STAGING_KIND_CHECKPOINT, 2, "asked for"),
    ]
    weights, full = (Path(one.folder) for one in saved.staged)
    names = ["model.safetensors", "config.json", "run.json", manifest.STAGED]
    assert sorted(path.name for path in weights.iterdir()) == sorted(names)
    assert (weights / BITS[0]).read_bytes() == (full / BITS[0]).read_bytes()
    saved.step()
    saved.checkpoints.save_last(saved.training, because="stopped", weights_only=True)
    saved.checkpoints.save_last(saved.training, because="stopped")
    kinds = [STAGING_KIND_WEIGHTS, STAGING_KIND_CHECKPOINT]
    assert [(one.kind, one.step) for one in saved.staged[2:]] == [(kind, 3) for kind in kinds]


def test_minutes_of_training_count(saved: Saved) -> None:
    saved.training.spec.hooks.checkpoint_minutes = 10
    for secs in (599.0, 601.0, 700.0, 1_190.0, 1_202.0):
        saved.training.clock.set(secs)
        saved.step()
    assert [staged.step for staged in saved.staged] == [2, 5]


def test_the_lowest_validation_loss_is_saved(saved: Saved) -> None:
    saved.training.spec.hooks.checkpoint_best = True
    for loss in (5.0, 4.0, 4.5, 3.0):
        saved.checkpoints.on_evaluate(saved.training, Evaluation(loss=loss, tokens=1, text_bytes=1))
        saved.step()  # the first was measured before any step, and is no achievement
    assert [staged.step for staged in saved.staged] == [2, 4]
    assert saved.training.best_validation_loss == 3.0


def test_the_policy_can_be_changed_while_it_trains_and_frees_what_it_no_longer_needs(
    saved: Saved,
) -> None:
    saved.step()
    saved.control.obey(WorkerCommand(adjust=LiveSettings(checkpoint_every=1)))
    saved.step()
    assert [staged.step for staged in saved.staged] == [2]
    assert saved.checkpoints.saver.buffers.size_bytes > 0
    saved.control.obey(WorkerCommand(adjust=LiveSettings(checkpoint_every=0)))
    saved.step()
    assert [staged.step for staged in saved.staged] == [2]
    assert saved.checkpoints.saver.buffers.size_bytes == 0
    changed = [event.settings_changed for event in saved.told if event.HasField("settings_changed")]
    assert [(each.step, each.live.checkpoint_every) for each in changed] == [(1, 1), (2, 0)]


def test_what_is_written_is_the_state_of_its_step_although_training_went_on(
    saved: Saved, gate: Gate, tmp_path: Path
) -> None:
    saved.step()
    saved.ask("r")
    expected = tmp_path / "expected"
    expected.mkdir()
    write(content(saved.training, full=True), expected)
    assert gate.reached.wait(60)
    for _ in range(3):
        saved.step(wait=False)
    assert not saved.staged
    gate.open.set()
    saved.checkpoints.saver.wait()
    [staged] = saved.staged
    assert (staged.step, staged.request_id, staged.saved_because) == (1, "r", "asked for")
    for name in BITS:
        assert (Path(staged.folder) / name).read_bytes() == (expected / name).read_bytes()


def test_a_second_wish_waits_and_many_become_one(saved: Saved, gate: Gate) -> None:
    saved.training.spec.hooks.checkpoint_every = 1
    saved.step(wait=False)
    assert gate.reached.wait(60)
    saved.step(wait=False)
    saved.ask("r")
    saved.ask("look", peek=True)
    saved.step(wait=False)
    assert saved.said == [
        "A save is still being written; the one of step 2 (every 1 steps) begins when it is done."
    ]
    gate.open.set()
    saved.checkpoints.saver.wait()
    saved.checkpoints.finish(saved.training)
    assert [(each.step, each.request_id, each.saved_because) for each in saved.staged] == [
        (1, "", "every 1 steps"),
        (3, "r", "every 1 steps, asked for"),
        (3, "look", ""),
    ]


CHECKPOINTS = "services.trainer.worker.hooks.checkpoints"


@pytest.mark.parametrize("crowded", [True, False])
def test_only_what_nobody_waits_for_takes_turns_with_the_steps(
    saved: Saved, monkeypatch: pytest.MonkeyPatch, crowded: bool
) -> None:
    monkeypatch.setattr(f"{CHECKPOINTS}.crowded", lambda training: crowded)
    saved.training.live.checkpoint_every = 2
    saved.step()
    saved.step()
    saved.ask("look", peek=True)
    saved.checkpoints.saver.wait()
    saved.step()
    saved.checkpoints.save_last(saved.training, because="stopped")
    assert [(one.saved_because, one.beside_training) for one in saved.staged] == [
        ("every 2 steps", crowded),
        ("", False),
        ("stopped", False),
    ]


@pytest.mark.parametrize("what", ["another save", "a pause", "an end"])
def test_a_save_that_takes_its_time_hurries_for(
    saved: Saved, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """It would rest for an hour after its first piece."""
    monkeypatch.setattr(f"{CHECKPOINTS}.crowded", lambda training: True)
    monkeypatch.setattr(f"{CHECKPOINTS}.MOST_SECS", 3_600.0)
    monkeypatch.setattr(Pace.__init__, "__kwdefaults__", {"share": 1e-9, "most_secs": 0.0})
    saved.training.live.checkpoint_every = 1
    saved.step(wait=False)
    assert not saved.checkpoints.saver.free
    match what:
        case "another save":
            saved.step(wait=False)
        case "a pause":
            monkeypatch.setattr(saved.control, "wait", lambda: saved.control.obey(_RESUME))
            saved.control.obey(WorkerCommand(pause=PauseTraining()))
            saved.boundary.cross(saved.training)
        case "an end":
            saved.checkpoints.save_last(saved.training, because="stopped")
    assert saved.checkpoints.saver._thread is not None
    saved.checkpoints.saver._thread.join(60)
    assert saved.staged[0].step == 1


def test_what_was_written_is_told_with_its_hashes(saved: Saved) -> None:
    saved.step()
    saved.ask("r")
    saved.checkpoints.saver.wait()
    [staged] = saved.staged
    by_name = sorted(staged.files, key=lambda file: file.name)
    assert by_name == manifest.describe(Path(staged.folder))


def test_beside_a_save_lies_what_was_measured_since_the_one_before(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured() -> None:
        step = saved.training.step + 1
        saved.tell(WorkerEvent(step_measured=StepMeasured(step=step)))
        saved.step()

    measured()
    saved.ask("first")
    measured()
    with monkeypatch.context() as patched:
        patched.setattr(saver, "write", _full_disk)
        saved.ask("not written")
        saved.checkpoints.saver.wait()
    measured()
    saved.ask("second")
    saved.ask("look", peek=True)
    saved.checkpoints.finish(saved.training)
    told = [manifest.read_told(Path(one.folder)).events for one in saved.staged]
    assert [[event.step_measured.step for event in each] for each in told] == [[1], [2, 3], []]


def _full_disk(content: Content, folder: Path, *, rest: Callable[[], None]) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_whoever_finds_what_was_written_knows_what_it_is(saved: Saved) -> None:
    """But for whom it was made and how long it took, which is nothing to someone who finds it. A
    peek says nothing: nobody waits for it any more."""
    saved.step()
    saved.ask("r")
    saved.ask("look", peek=True)
    saved.checkpoints.finish(saved.training)
    staged, peek = saved.staged
    found = manifest.read_staged(Path(staged.folder))
    assert found.files
    told = CheckpointStaged()
    told.CopyFrom(staged)
    for field in ("request_id", "stall_secs", "write_secs"):
        told.ClearField(field)
    assert found == told
    with pytest.raises(Damaged, match="never finished"):
        manifest.read_staged(Path(peek.folder))


def test_a_paused_run_gets_what_waits_when_the_writer_is_done(saved: Saved, gate: Gate) -> None:
    """Nothing but the end of the first save wakes it for the second."""
    saved.step()
    saved.ask("first")
    saved.ask("second", peek=True)
    saved.control.look()
    threading.Timer(0.05, gate.open.set).start()
    saved.control.wait()
    saved.checkpoints.serve(saved.training)
    saved.checkpoints.saver.wait()
    assert [staged.request_id for staged in saved.staged] == ["first", "second"]


def test_short_memory_halts_the_training_and_is_said_once(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Buffers, "fit", lambda self, content: False)
    saved.training.spec.hooks.checkpoint_every = 1
    for _ in range(2):
        saved.step(wait=False)
    assert [staged.step for staged in saved.staged] == [1, 2]  # on disk before the next step
    assert all(staged.stall_secs == staged.write_secs for staged in saved.staged)
    [said] = saved.said
    assert "Memory is short" in said
    assert saved.checkpoints.saver.buffers.size_bytes == 0


def test_the_memory_that_is_there_is_asked_for(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Little:
        available = 1 << 20

    monkeypatch.setattr("psutil.virtual_memory", Little)
    saved.step()
    saved.ask("r")
    assert "Memory is short" in saved.said[0]
    assert len(saved.staged) == 1


def test_the_buffers_are_used_again(saved: Saved) -> None:
    saved.training.spec.hooks.checkpoint_every = 1
    saved.step()
    buffers = saved.checkpoints.saver.buffers
    places = {name: tensor.data_ptr() for name, tensor in buffers._tensors.items()}
    parameters = sum(p.nbytes for p in saved.training.model.parameters())
    assert 3 * parameters <= buffers.size_bytes <= 3 * parameters + 16
    saved.step()
    assert {name: tensor.data_ptr() for name, tensor in buffers._tensors.items()} == places


def test_training_beside_saves_gives_the_same_numbers(start: StartTraining) -> None:
    plain = build(start)
    losses = [training_step(plain).loss for _ in range(5)]
    beside = Saved(build(start))
    beside.training.spec.hooks.checkpoint_every = 1
    for _ in range(5):
        beside.step(wait=False)
    beside.checkpoints.finish(beside.training)
    assert beside.training.loss == losses[-1]


def _writing(
    worker: Callable[[StartTraining | None], Worker], start: StartTraining, staging: Path
) -> tuple[Worker, list[Path]]:
    """A worker as its first save begins, and the folder of it: 150 MB, time enough to be caught."""
    spec = start.spec
    spec.model.vocab_size, spec.model.width = 50_257, 256
    spec.budget.steps, spec.hooks.checkpoint_every = 1_000_000, 1
    shutil.rmtree(staging, ignore_errors=True)  # of one that was not caught
    one = worker(start)
    one.until("started")
    deadline = time.monotonic() + 60
    while not (folders := list(staging.glob("checkpoint-*"))):
        assert time.monotonic() < deadline, "no save began"
        time.sleep(0.001)
    return one, folders


@pytest.mark.integration
def test_a_worker_whose_trainer_is_gone_ends_what_it_was_writing(
    worker: Callable[[StartTraining | None], Worker], start: StartTraining, tmp_path: Path
) -> None:
    """And a trainer that comes back finds it."""
    for _ in range(5):
        one, folders = _writing(worker, start, tmp_path / "staging")
        caught = not (folders[0] / manifest.STAGED).exists()
        one.close()
        assert one.exit_code() == 0
        assert manifest.read_staged(folders[0]).step == 1
        if caught:
            break
    assert caught, "it was always written before the trainer was gone"


@pytest.mark.integration
def test_a_worker_killed_while_it_writes_has_told_of_nothing(
    worker: Callable[[StartTraining | None], Worker], start: StartTraining, tmp_path: Path
) -> None:
    """What is half written is no checkpoint: the trainer never hears of it."""
    for _ in range(5):
        one, folders = _writing(worker, start, tmp_path / "staging")
        one.process.kill()
        told = [event.staged.folder for event in one.rest() if event.HasField("staged")]
        unfinished = [folder for folder in folders if str(folder) not in told]
        if unfinished:
            break
    assert unfinished, "it was never killed in the middle"
    assert not (unfinished[0] / manifest.STAGED).exists()
