"""The default recipe learns as the plain loop does, token for token, in a fraction of the time."""

import pytest

from tests.benchmarks.recipe import curves, table

TOKENS = 49_152


@pytest.mark.bench
@pytest.mark.timeout(1_800)
def test_the_same_loss_in_less_than_half_the_time() -> None:
    made = curves(tokens=TOKENS)
    print(f"\n{table(made)}")
    (_, secs, loss), (_, plain_secs, plain_loss) = (
        curve.points[-1] for curve in (made["the lab"], made["plain loop"])
    )
    assert loss < 7.0, "ln V is 10.82; the recipe must have taken most of the way to a unigram"
    assert loss == pytest.approx(plain_loss, rel=0.03)
    assert secs < plain_secs / 2
