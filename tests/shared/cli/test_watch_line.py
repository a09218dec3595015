"""The line of `lab runs watch` folds facts into the newest numbers."""

from lab.cli.runs.watch import Line
from lab.v1.event_pb2 import (
    EvaluationCompleted,
    Event,
    LogWritten,
    RunStateChanged,
    StepMeasured,
    TextSampled,
)
from lab.v1.recording_pb2 import SPIKE_KIND_LOSS, SPIKE_KIND_NON_FINITE, SpikeFlagged
from lab.v1.run_pb2 import Run, RunState, RunStats


def running(step: int = 0) -> Run:
    return Run(
        name="runs/nano-a",
        state=RunState.RUN_STATE_RUNNING,
        stats=RunStats(step=step, total_steps=200),
    )


def test_numbers_that_are_not_there_yet_are_not_shown() -> None:
    assert Line(running()).text().plain == "nano-a running  step 0/200"


def test_steps_and_evaluations_are_shown_as_they_come() -> None:
    line = Line(running())
    fact = StepMeasured(step=50, loss=4.5, tokens_per_sec=1234.4, elapsed_secs=60)
    assert line.take(Event(step_measured=fact)) == []
    line.take(Event(evaluation_completed=EvaluationCompleted(step=50, loss=4.75)))
    assert line.text().plain == (
        "nano-a running  step 50/200  loss 4.5000  val 4.7500  1,234 tok/s  1:00 + 3:00"
    )


def test_samples_and_log_lines_get_lines_of_their_own() -> None:
    line = Line(running())
    sample = TextSampled(step=50, prompt="To be", text=", or\nnot")
    assert line.take(Event(text_sampled=sample)) == ["step 50: To be, or⏎not"]
    assert line.take(Event(log_written=LogWritten(text="slow"))) == ["slow"]


def test_a_run_is_at_rest_when_it_has_ended_and_not_again_after_a_resume() -> None:
    line = Line(running())
    assert not line.at_rest
    ended = running(step=70)
    ended.state = RunState.RUN_STATE_STOPPED
    ended.end_time.FromSeconds(1)
    line.take(Event(run_state_changed=RunStateChanged(run=ended)))
    assert line.at_rest
    line.take(Event(run_state_changed=RunStateChanged(run=running(step=70))))
    assert not line.at_rest


def test_a_spike_has_a_line_with_its_worst_sequences() -> None:
    line = Line(running())
    spike = SpikeFlagged(step=1_412, kind=SPIKE_KIND_LOSS, value=7.25, z=9.87)
    spike.worst.add(index=3, loss=11.5)
    spike.worst.add(index=0, loss=6.25)
    assert line.take(Event(spike_flagged=spike)) == [
        "step 1,412: loss 7.25 is far above the usual (z 9.9); "
        "worst sequences of its batch: 3 (11.50), 0 (6.25)"
    ]
    spike.kind = SPIKE_KIND_NON_FINITE
    assert line.take(Event(spike_flagged=spike)) == []  # the log has it
