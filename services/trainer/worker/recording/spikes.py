"""Which steps are far outside of what the steps before them were like.

A loss curve is noisy, so "large" means nothing by itself. Here a value is compared with the median
of the values before it, in units of their usual distance from that median. Both, unlike mean and
standard deviation, are not moved by the very outliers that are looked for.
"""

import math
import statistics
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

WINDOW_STEPS = 128
FEWEST_STEPS = 32  # before that, nobody knows what is usual
FLAG_ABOVE = 6.0
_TO_SIGMA = 1.4826  # a median absolute deviation times this is the sigma of what is spread normally


@dataclass(frozen=True)
class Outlier:
    """A value far above the others."""

    median: float
    z: float


@dataclass
class Window:
    """The newest values of one number. `least` is the deviation that counts as none."""

    least: float
    values: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW_STEPS))
    outside: bool = False  # whether the newest was an outlier

    def take(self, value: float) -> Outlier | None:
        """Compares a value with those before it, then counts it among them.

        Of a row of outliers the first is answered: the others are what it led to.
        """
        found = self._outlier(value)
        first = found is not None and not self.outside
        self.outside = found is not None
        self.values.append(value)
        return found if first else None

    def _outlier(self, value: float) -> Outlier | None:
        if len(self.values) < FEWEST_STEPS:
            return None
        median = statistics.median(self.values)
        deviation = statistics.median(abs(each - median) for each in self.values)
        z = (value - median) / (_TO_SIGMA * max(deviation, self.least))
        return Outlier(median, z) if z > FLAG_ABOVE else None

    def state(self) -> dict[str, Any]:
        return {"values": list(self.values), "outside": self.outside}

    def restore(self, state: Mapping[str, Any]) -> None:
        values: Iterable[float] = state.get("values", ())
        self.values = deque(values, maxlen=WINDOW_STEPS)
        self.outside = bool(state.get("outside", False))


@dataclass
class Windows:
    """What a run remembers of its newest steps. Part of its state: a resumed run must flag the
    same steps as one that never stopped."""

    # A model that knows its text by heart wobbles by up to 0.06 around a loss of 0.01, most batches
    # far less: with this, a rise of less than 0.09 is no trouble. Above a loss of about 0.5 batches
    # differ by more than this anyway.
    # A gradient norm doubles as easily as it halves, so its logarithm is looked at.
    loss: Window = field(default_factory=lambda: Window(least=0.01))
    log_grad_norm: Window = field(default_factory=lambda: Window(least=0.02))

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"loss": self.loss.state(), "log_grad_norm": self.log_grad_norm.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint; one of an older lab has none, and the windows fill anew."""
        self.loss.restore(state.get("loss", {}))
        self.log_grad_norm.restore(state.get("log_grad_norm", {}))


def log_of(grad_norm: float) -> float:
    """A gradient of nothing at all happens; its logarithm is as low as a float's can be."""
    return math.log(max(grad_norm, 1e-38))
