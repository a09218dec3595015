"""How long threads of torch spin for one another. Call it before torch is imported.

Between two parallel stretches the threads of libgomp wait in a loop of up to 300,000 turns, about
4 ms. That is right while each of them has a processor of its own. Where others work too (a browser,
another run, a test) it is ruin: one thread burns its share of the processor waiting for the other,
which does not get one because of it. 10,000 turns, about 0.1 ms, reach over what lies between two
stretches of a step and not much further. Measured with two threads on two processors, nano:

    turns                                        300,000    10,000    2,000
    a step, little else running                    97 ms     97 ms   110 ms
    a text of 48 tokens beside 6 busy programs     6.0 s     1.8 s    1.3 s
    the same, processor time                       2.7 s     0.6 s    0.4 s
"""

import os

from lab import folders

_TURNS = 10_000
_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def wait_briefly() -> None:
    """Changes nothing where somebody decided it for this machine, or the threads are others."""
    told = folders.child_environment()
    if not any(setting in told for setting in _SETTINGS):
        os.putenv("GOMP_SPINCOUNT", str(_TURNS))
