"""How often somebody may do something: a bucket of tokens that fills up again."""

import time
from collections.abc import Callable

Clock = Callable[[], float]


class Pace:
    """`burst` at once, and from then on `per_sec`."""

    def __init__(self, *, per_sec: float, burst: float, clock: Clock = time.monotonic) -> None:
        self._per_sec, self._burst, self._clock = per_sec, burst, clock
        self._left, self._at = burst, clock()

    def allows(self) -> bool:
        """Takes a token if there is one."""
        self._fill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def secs_until_next(self) -> float:
        """How long until it allows again."""
        self._fill()
        return max(0.0, 1 - self._left) / self._per_sec

    @property
    def rested(self) -> bool:
        """Whether it is as good as new."""
        self._fill()
        return self._left >= self._burst

    def _fill(self) -> None:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_sec)
        self._at = now
