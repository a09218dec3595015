"""What a run said of steps it went back behind holds no longer: not in series, not in lists."""

from pathlib import Path

from lab.v1.event_pb2 import (
    CheckpointCommitted,
    EvaluationCompleted,
    Event,
    LogWritten,
    StepMeasured,
    TextSampled,
)
from lab.v1.recording_pb2 import (
    HealthMeasured,
    IntervalMeasured,
    ProbeRecord,
    ProbeRecorded,
    RunRewound,
    SpikeFlagged,
)
from services.trainer.history.health import read_health
from services.trainer.history.probes import list_probes
from services.trainer.history.series import NAMES, read_series
from services.trainer.journal import journal_file, journal_tables
from services.trainer.journal.writer import connect


def course(step: int, number: float) -> list[Event]:
    """Everything that can be said about a step."""
    return [
        Event(step_measured=StepMeasured(step=step, loss=number)),
        Event(evaluation_completed=EvaluationCompleted(step=step, loss=number, bits_per_byte=1)),
        Event(text_sampled=TextSampled(step=step, text=str(number))),
        Event(interval_measured=IntervalMeasured(step=step, tokens_per_sec=number)),
        Event(health_measured=HealthMeasured(step=step, tensors=["w"], weight_rms=[number])),
        Event(spike_flagged=SpikeFlagged(step=step, value=number)),
        Event(probe_recorded=ProbeRecorded(step=step, record=ProbeRecord(step=step, layers=1))),
    ]


def write(path: Path, events: list[Event], *, first: int = 1) -> None:
    connection = connect(path, journal_tables.SCHEMA)
    with connection:
        for sequence, event in enumerate(events, start=first):
            event.sequence = sequence
            kept = journal_tables.take_out(event)
            journal_tables.put(connection, event, event.SerializeToString(), kept=kept)
    connection.close()


def test_a_course_that_was_given_up_is_in_no_list_and_no_series(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    lasting = [
        Event(log_written=LogWritten(step=2, text="it happened")),
        Event(checkpoint_committed=CheckpointCommitted(step=2)),
    ]
    rewound = Event(run_rewound=RunRewound(step=1))
    write(path, [*course(1, 1.0), *course(2, 2.0), *lasting, rewound])
    with journal_file.reading(path) as file:
        facts = journal_file.newest_facts(file, [], 1_000)
        kinds = {event.WhichOneof("fact"): event for event in facts}
        assert {"log_written", "checkpoint_committed", "run_rewound"} < set(kinds)
        for kind in set(journal_tables.OF_A_COURSE) - {"step_measured"}:
            assert [getattr(e, kind).step for e in facts if e.WhichOneof("fact") == kind] == [1]
        series = read_series(file, "runs/a", ["loss", "bits_per_byte", "interval_tokens_per_sec"])
        assert [list(each.steps) for each in series.series] == [[1], [1], [1]]
        assert list(read_health(file, "runs/a", "weight_rms").steps) == [1]
        assert list(list_probes(file).steps) == [1]
        assert journal_file.batch(file, 2) is None
        assert journal_file.newest_step(file) == 1
        everything = journal_file.facts_after(file, 0, 1_000)
        assert len(everything) == 17  # the file itself forgets nothing

    write(path, course(2, 20.0), first=18)
    with journal_file.reading(path) as file:
        (_, again) = journal_file.newest_facts(file, ["text_sampled"], 10)
        assert again.text_sampled.text == "20.0"
        newest = journal_file.newest_facts(file, ["text_sampled"], 1)
        assert [event.sequence for event in newest] == [again.sequence]
        (loss,) = read_series(file, "runs/a", ["loss"]).series
        assert list(loss.values) == [1.0, 20.0]


def test_a_limit_counts_what_holds(tmp_path: Path) -> None:
    """The newest ten may all be given up; the ten before them are asked for."""
    path = tmp_path / "journal.db"
    samples = [Event(text_sampled=TextSampled(step=step)) for step in range(1, 31)]
    write(path, [*samples, Event(run_rewound=RunRewound(step=15))])
    with journal_file.reading(path) as file:
        found = journal_file.newest_facts(file, ["text_sampled"], 10)
    assert [event.text_sampled.step for event in found] == list(range(6, 16))


# As the file was made before intervals, health, probes and rewinds were recorded.
OLD_SCHEMA = """
CREATE TABLE facts (sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX facts_by_kind ON facts (kind, sequence) WHERE kind != 'step_measured';
CREATE TABLE steps (
  step INTEGER PRIMARY KEY, loss REAL, grad_norm REAL, learning_rate REAL, tokens_per_sec REAL,
  step_secs REAL, memory_bytes INTEGER, tokens INTEGER, elapsed_secs REAL) STRICT;
CREATE TABLE batches (
  step INTEGER PRIMARY KEY, position INTEGER NOT NULL, sequence_losses BLOB NOT NULL) STRICT;
CREATE TABLE evaluations (step INTEGER PRIMARY KEY, loss REAL, tokens INTEGER) STRICT;
CREATE TABLE published (only INTEGER PRIMARY KEY CHECK (only = 1), sequence INTEGER) STRICT;
"""


def test_a_file_of_an_older_lab_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    old = connect(path, OLD_SCHEMA)
    with old:
        for sequence, event in enumerate(course(1, 3.0)[:3], start=1):
            event.sequence = sequence
            kind = event.WhichOneof("fact")
            body = event.SerializeToString()
            old.execute("INSERT INTO facts VALUES (?, ?, ?)", (sequence, kind, body))
        old.execute("INSERT INTO steps (step, loss, grad_norm) VALUES (1, 3.0, 2.0)")
        old.execute("INSERT INTO evaluations VALUES (1, 3.0, 8)")
    old.close()
    with journal_file.reading(path) as file:
        assert len(journal_file.newest_facts(file, [], 10)) == 2
        series = {each.name: each for each in read_series(file, "runs/a", [], clip=1.0).series}
        assert list(series) == list(NAMES)
        assert list(series["clip_share"].values) == [0.5]
        assert list(series["validation_loss"].values) == [3.0]
        assert list(series["ceiling_share"].steps) == []
        assert list(read_health(file, "runs/a", "").steps) == []
        assert list(list_probes(file).steps) == []
        assert journal_file.newest_step(file) == 1

    write(path, [*course(2, 2.0), Event(run_rewound=RunRewound(step=0))], first=4)
    with journal_file.reading(path) as file:
        assert journal_file.newest_step(file) == 0
        kinds = [e.WhichOneof("fact") for e in journal_file.newest_facts(file, [], 10)]
        assert kinds == ["run_rewound"]
