"""GELU of our own against float64, on every number that bf16 has and on tails."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab import kernels
from lab.model.fused import gelu

pytestmark = pytest.mark.skipif(kernels.operations() is None, reason="no kernels here")


def passes(x: Tensor, *, ours: bool) -> tuple[Tensor, Tensor]:
    given = x.clone().requires_grad_()
    y = gelu(given) if ours else F.gelu(given, approximate="tanh")
    assert ("_Gelu" in type(y.grad_fn).__name__) == ours
    y.backward(torch.ones_like(y))  # type: ignore[no-untyped-call]
    assert given.grad is not None
    return y.detach(), given.grad


def test_every_number_is_rounded_as_it_should_be() -> None:
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)
    x = every[every.abs() < 1e6]
    y, slope = passes(x, ours=True)
    wanted, steep = passes(x.double(), ours=False)
    torch.testing.assert_close(y.double(), wanted, rtol=2**-8, atol=1e-6)
    torch.testing.assert_close(slope.double(), steep, rtol=2**-8, atol=1e-5)


@pytest.mark.parametrize("numbers", [1, 15, 17, 100_003])
def test_tails_and_threads(numbers: int) -> None:
    x = torch.randn(numbers, generator=torch.Generator().manual_seed(1)).bfloat16()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = passes(x, ours=True)
        torch.set_num_threads(2)
        other = passes(x, ours=True)
    finally:
        torch.set_num_threads(before)
    for found, again, wanted in zip(one, other, passes(x.double(), ours=False), strict=True):
        assert torch.equal(found, again)
        torch.testing.assert_close(found.double(), wanted, rtol=2**-8, atol=1e-5)


def test_no_number_stays_none() -> None:
    y, slope = passes(torch.tensor([float("nan"), 1.0]).bfloat16(), ours=True)
    assert y.isnan().tolist() == slope.isnan().tolist() == [True, False]


def test_other_types_are_left_to_torch() -> None:
    x = torch.randn(5)
    assert torch.equal(gelu(x), F.gelu(x, approximate="tanh"))
    with torch.no_grad():
        assert gelu(x.bfloat16()).dtype == torch.bfloat16
