"""The worker as the trainer meets it: a real process at the other end of a real socket pair."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.v1.worker_pb2 import (
    STAGING_KIND_CHECKPOINT,
    STAGING_KIND_PEEK,
    AdvanceTraining,
    PauseTraining,
    ResumeTraining,
    StageCheckpoint,
    StartTraining,
    StopTraining,
    WorkerEvent,
)
from tests.trainer.worker.worker_process import Worker

pytestmark = pytest.mark.integration

StartWorker = Callable[[StartTraining | None], Worker]
ENDLESS = 1_000_000


def kinds(events: list[WorkerEvent]) -> list[str | None]:
    return [e.WhichOneof("event") for e in events if not e.HasField("beat")]


def test_a_run_from_start_to_end(worker: StartWorker, start: StartTraining) -> None:
    start.spec.budget.steps = 4
    start.spec.hooks.evaluate_every = 2
    start.spec.hooks.checkpoint_on_stop = True
    one = worker(start)
    events = [event for event in one.rest() if not event.HasField("beat")]
    assert kinds(events) == [
        "started",
        "evaluation_completed",
        "step_measured",
        "step_measured",
        "evaluation_completed",
        "step_measured",
        "step_measured",
        "evaluation_completed",
        "interval_measured",
        "staged",
        "finished",
    ]
    assert one.exit_code() == 0
    started = events[0].started
    assert started.precision == start.spec.budget.precision
    assert (started.step, started.corpus_tokens, started.epoch_sequences) == (0, 540, 33)
    measured = [e.step_measured for e in events if e.HasField("step_measured")]
    assert [m.tokens for m in measured] == [64, 128, 192, 256]
    assert all(m.grad_norm > 0 and m.tokens_per_sec > 0 and m.step_secs > 0 for m in measured)
    assert measured[-1].loss < measured[0].loss
    assert [m.data_position for m in measured] == [0, 4, 8, 12]
    assert all(len(m.sequence_losses) == 4 for m in measured)
    assert all(sum(m.sequence_losses) / 4 == pytest.approx(m.loss, rel=1e-6) for m in measured)
    assert [m.elapsed_secs for m in measured] == sorted(m.elapsed_secs for m in measured)
    staged = next(e.staged for e in events if e.HasField("staged"))
    assert staged.kind == STAGING_KIND_CHECKPOINT
    assert staged.step == 4
    assert staged.loss == measured[-1].loss
    assert {path.name for path in Path(staged.folder).iterdir()} == {
        "model.safetensors",
        "optim.safetensors",
        "state.json",
        "config.json",
        "run.json",
        "environment.json",
        "staged.json",
        "told.bin",
    }
    assert not events[-1].finished.stopped


def test_nothing_is_written_when_saving_is_off(
    worker: StartWorker, start: StartTraining, tmp_path: Path
) -> None:
    start.spec.budget.steps = 2
    assert "staged" not in kinds(worker(start).rest())
    assert not (tmp_path / "staging").exists()


def test_pause_advance_stage_resume_stop(worker: StartWorker, start: StartTraining) -> None:
    start.spec.budget.steps = ENDLESS
    one = worker(start)
    one.until("step_measured")
    one.send(pause=PauseTraining())
    paused = one.until("paused").paused.step
    assert one.steps()[-1] == paused

    one.send(advance=AdvanceTraining(steps=3))
    assert one.until("paused").paused.step == paused + 3
    assert one.steps()[-3:] == [paused + 1, paused + 2, paused + 3]

    one.send(stage=StageCheckpoint(kind=STAGING_KIND_PEEK, request_id="look"))
    staged = one.until("staged").staged
    assert (staged.request_id, staged.kind, staged.step) == ("look", STAGING_KIND_PEEK, paused + 3)
    assert sorted(os.listdir(staged.folder)) == ["config.json", "model.safetensors", "run.json"]

    one.send(resume=ResumeTraining())
    assert one.until("resumed").resumed.step == paused + 3
    one.until("step_measured")
    one.send(stop=StopTraining(save=True))
    last = one.until("staged").staged
    finished = one.until("finished").finished
    assert finished.stopped
    assert last.step == finished.step == one.steps()[-1]
    assert one.exit_code() == 0
    # No step was made while paused, none twice, none left out.
    assert one.steps() == list(range(1, finished.step + 1))


def test_a_pause_before_the_first_step_holds(worker: StartWorker, start: StartTraining) -> None:
    one = worker(start)
    one.send(pause=PauseTraining())
    one.send(pause=PauseTraining())
    assert one.until("paused").paused.step <= 1
    one.send(stop=StopTraining(save=False))
    one.until("finished")
    assert kinds(one.seen).count("paused") == 1


def test_a_paused_run_stays_alive_and_its_clock_stands_still(
    worker: StartWorker, start: StartTraining
) -> None:
    start.spec.budget.steps = ENDLESS
    one = worker(start)
    one.send(pause=PauseTraining())
    one.until("paused")
    beats = [one.until("beat").beat for _ in range(2)]
    assert beats[-1].memory_bytes > 50_000_000
    one.send(advance=AdvanceTraining(steps=2))
    one.until("paused")
    measured = [e.step_measured for e in one.seen if e.HasField("step_measured")]
    assert measured[-1].elapsed_secs < 1.0  # two beats are two seconds


def test_a_resumed_run_goes_on_where_it_was(worker: StartWorker, start: StartTraining) -> None:
    start.spec.budget.steps = 6
    whole = worker(start)
    whole.rest()
    first = worker(start)
    first.send(pause=PauseTraining())
    first.until("paused")
    first.send(advance=AdvanceTraining(steps=2))
    first.until("paused")
    first.send(stop=StopTraining(save=True))
    start.resume_folder = first.until("staged").staged.folder
    first.rest()
    second = worker(start)
    assert second.until("started").started.step == first.steps()[-1]
    second.rest()
    assert first.steps() + second.steps() == whole.steps() == [1, 2, 3, 4, 5, 6]
    assert _losses(first) + _losses(second) == _losses(whole)


def test_a_closed_link_ends_the_worker(worker: StartWorker, start: StartTraining) -> None:
    start.spec.budget.steps = ENDLESS
    running = worker(start)
    running.until("step_measured")
    running.close()
    assert running.exit_code() == 0
    resting = worker(start)
    resting.send(pause=PauseTraining())
    resting.until("paused")
    resting.close()
    assert resting.exit_code() == 0


def test_a_link_closed_before_the_start_ends_the_worker(worker: StartWorker) -> None:
    one = worker(None)
    one.close()
    assert one.exit_code() == 0


def test_the_first_command_must_be_the_start(worker: StartWorker) -> None:
    one = worker(None)
    one.send(pause=PauseTraining())
    assert one.rest() == []
    assert one.exit_code() == 1


def test_a_loss_that_is_no_number_fails_the_run(worker: StartWorker, start: StartTraining) -> None:
    spec = start.spec
    spec.budget.steps, spec.schedule.warmup_steps = 200, 0
    spec.optimizer.learning_rate, spec.optimizer.weight_decay = 10.0, 10.0
    spec.optimizer.clip = 0.0
    one = worker(start)
    failed = one.until("failed").failed
    assert failed.step == one.steps()[-1] + 3
    assert f"At step {failed.step - 2} " in failed.reason
    warned = [e.log_written.text for e in one.seen if e.HasField("log_written")]
    assert [text.split(":")[0] for text in warned] == [
        f"Step {failed.step - back} was skipped" for back in (2, 1)
    ]
    assert "lower learning rate" in failed.reason
    assert one.exit_code() == 1


@pytest.mark.parametrize(
    ("section", "field", "value", "said"),
    [
        ("data", "corpus", "missing", "missing is not prepared"),
        ("budget", "device", "cuda", 'set it to "cpu"'),
        ("model", "width", 33, "An error of the lab itself (ValueError)"),
    ],
)
def test_what_prevents_a_start_is_said(
    worker: StartWorker,
    start: StartTraining,
    section: str,
    field: str,
    value: object,
    said: str,
) -> None:
    setattr(getattr(start.spec, section), field, value)
    one = worker(start)
    failed = one.until("failed").failed
    assert said in failed.reason
    assert failed.step == 0
    assert "Traceback" not in failed.reason
    assert one.exit_code() == 1


def test_a_folder_that_cannot_be_written_is_said_and_training_goes_on(
    worker: StartWorker, start: StartTraining, tmp_path: Path
) -> None:
    start.spec.budget.steps = ENDLESS
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    start.staging_folder = str(blocked)
    one = worker(start)
    one.send(stage=StageCheckpoint(kind=STAGING_KIND_CHECKPOINT, request_id="x"))
    assert "could not be written" in one.until("log_written").log_written.text
    answer = one.until("staging_failed").staging_failed
    assert (answer.request_id, answer.kind) == ("x", STAGING_KIND_CHECKPOINT)
    assert "make room on the disk" in answer.reason
    step = one.steps()[-1] if one.steps() else 0
    one.until("step_measured", lambda event: event.step_measured.step > step)
    one.send(stop=StopTraining(save=True))
    assert "could not be written" in one.until("failed").failed.reason


def test_samples_are_drawn_with_the_real_tokenizer(
    worker: StartWorker, start: StartTraining
) -> None:
    start.spec.model.vocab_size = 50_257
    start.spec.budget.steps = 2
    start.spec.hooks.sample_every, start.spec.hooks.sample_tokens = 2, 5
    del start.spec.hooks.sample_prompts[:]
    start.spec.hooks.sample_prompts.extend(["Once", "The end"])
    sampled = [e.text_sampled for e in worker(start).rest() if e.HasField("text_sampled")]
    assert [(s.step, s.prompt_index, s.prompt) for s in sampled] == [
        (0, 0, "Once"),
        (0, 1, "The end"),
        (2, 0, "Once"),
        (2, 1, "The end"),
    ]
    assert all(s.text for s in sampled)


def _losses(one: Worker) -> list[float]:
    return [e.step_measured.loss for e in one.seen if e.HasField("step_measured")]
