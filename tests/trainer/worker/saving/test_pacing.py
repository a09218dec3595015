"""A writer beside training rests in proportion to what it did, until somebody waits for it."""

import threading
import time

import pytest

from services.trainer.worker.saving.pacing import Pace, hurried


class Clock:
    """The processor's and the wall's: resting takes the time that it is asked to take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.worked_secs = self.rested_secs = 0.0
        monkeypatch.setattr(time, "thread_time", lambda: self.worked_secs)
        monkeypatch.setattr(time, "perf_counter", lambda: self.worked_secs + self.rested_secs)
        monkeypatch.setattr(threading.Event, "wait", lambda event, secs: self._wait(event, secs))

    def _wait(self, event: threading.Event, secs: float) -> bool:
        self.rested_secs += secs
        return event.is_set()

    def work(self, pace: Pace, *, pieces: int) -> None:
        for _ in range(pieces):
            self.worked_secs += 0.002
            pace.rest()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_it_works_for_its_share_of_the_time(clock: Clock) -> None:
    clock.worked_secs = 3.0  # before it began
    clock.work(Pace(share=0.1, most_secs=60), pieces=101)
    assert clock.rested_secs == pytest.approx(0.2 * 9)


def test_it_is_held_back_no_longer_than_it_may(clock: Clock) -> None:
    clock.work(Pace(share=0.1, most_secs=1.0), pieces=200)
    assert clock.rested_secs == pytest.approx(1.0)


def test_who_hurries_does_not_rest(clock: Clock) -> None:
    clock.work(hurried(), pieces=100)
    pace = Pace(share=0.1)
    clock.work(pace, pieces=11)
    rested_secs = clock.rested_secs
    pace.hurry()
    clock.work(pace, pieces=100)
    assert clock.rested_secs == rested_secs == pytest.approx(0.02 * 9)


def test_a_rest_ends_when_somebody_waits() -> None:
    pace = Pace(share=0.000_001, most_secs=3_600)
    pace._began_secs = -1.0  # of a thread's work: an hour of rest is due
    resting = threading.Thread(target=pace.rest)
    resting.start()
    pace.hurry()
    resting.join(60)
    assert not resting.is_alive()
