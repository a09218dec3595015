"""How long threads of torch spin for one another. Call it before torch is imported.

Between two parallel stretches the threads of libgomp wait in a loop of up to 300,000 turns, about
4 ms. That is right while each of them has a processor of its own. Where others work too (a browser,
another run, a test) it is ruin: one thread burns its share of the processor waiting for the other,
which does not get one because of it. 2,000 turns are about 30 us, what lies between most stretches
of a step. Measured with two threads on two processors that twelve programs wanted: the first text
of 48 tokens took 12 to 38 s and takes 1 to 2 s; of processor time 3.3 to 7.4 s, and 0.4 s.
"""

import os

from lab import folders

_TURNS = 2_000
_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def wait_briefly() -> None:
    """Changes nothing where somebody decided it for this machine, or the threads are others."""
    told = folders.child_environment()
    if not any(setting in told for setting in _SETTINGS):
        os.putenv("GOMP_SPINCOUNT", str(_TURNS))
