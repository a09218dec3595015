"""Lets the thread that writes a save work for a share of the time only.

Training keeps every core busy, and its threads wait for one another at each operation: a core that
is taken for a millisecond costs all of them a millisecond. What a save takes cannot be avoided,
but it can be spread, so that no step is much slower than the others.
"""

import threading
import time

SHARE = 0.07  # of one core
MOST_SECS = 60.0  # of resting; then it works on without
_SHORTEST_SECS = 0.001  # a rest that is worth a change of threads


class Pace:
    """Used by one thread; anyone may tell it to hurry."""

    def __init__(self, *, share: float = SHARE, most_secs: float = MOST_SECS) -> None:
        self._longer = 1.0 / share - 1.0  # it rests so much longer than it works
        self._most_secs = most_secs
        self._hurried = threading.Event()
        self._rested_secs = 0.0
        self._began_secs: float | None = None

    def hurry(self) -> None:
        """Somebody waits for the end."""
        self._hurried.set()

    def rest(self) -> None:
        """Called after each piece of work, a millisecond or so; returns when the next may begin."""
        if self._hurried.is_set():
            return
        now_secs = time.thread_time()  # of the processor, so that waiting is not work
        if self._began_secs is None:
            self._began_secs = now_secs
        due_secs = (now_secs - self._began_secs) * self._longer
        rest_secs = min(due_secs, self._most_secs) - self._rested_secs
        if rest_secs >= _SHORTEST_SECS:
            began_secs = time.perf_counter()
            self._hurried.wait(rest_secs)
            self._rested_secs += time.perf_counter() - began_secs


def hurried() -> Pace:
    """One that never rests."""
    pace = Pace()
    pace.hurry()
    return pace
