"""The sums that the health record is made of, against float64."""

import pytest
import torch
from torch import Tensor

from lab import kernels

pytestmark = pytest.mark.skipif(kernels.operations() is None, reason="no kernels here")

EPSILON = 1e-3


def made(numbers: int) -> tuple[Tensor, ...]:
    """Weights, gradient and AdamW's two moments."""
    generator = torch.Generator().manual_seed(numbers)
    weight, gradient, mean, square = torch.randn(4, numbers, generator=generator)
    return weight, gradient * 1e-3, mean * 1e-3, square.square() * 1e-6


def sums(*tensors: Tensor) -> Tensor:
    found: Tensor = torch.ops.lab.health_sums(*tensors, EPSILON)
    return found


@pytest.mark.parametrize("numbers", [1, 15, 17, 4_095, 4_097, 300_001])
def test_they_are_those_of_float64(numbers: int) -> None:
    tensors = made(numbers)
    w, g, m, v = (each.double() for each in tensors)
    d = m / (v.sqrt() + EPSILON)
    wanted = torch.stack([w @ w, w @ d, d @ d, g @ g])
    size = torch.stack([w @ w, (w * d).abs().sum(), d @ d, g @ g])  # of what was added up
    assert ((sums(*tensors) - wanted).abs() <= 1e-6 * size).all()


def test_threads_change_no_bit() -> None:
    tensors, before = made(300_001), torch.get_num_threads()
    try:
        each = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            each.append(sums(*tensors))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*each)


def test_no_number_stays_none() -> None:
    weight, gradient, mean, square = made(5_000)
    gradient[4_999] = float("nan")
    found = sums(weight, gradient, mean, square)
    assert found[:3].isfinite().all()
    assert found[3].isnan()


def test_shapes_that_differ_are_refused() -> None:
    weight, gradient, mean, square = made(32)
    with pytest.raises(RuntimeError):
        sums(weight, gradient[:16], mean, square)
