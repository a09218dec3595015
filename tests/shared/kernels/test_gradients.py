"""Layers that add their gradients by themselves: the same gradients as autograd's."""

import pytest
import torch
from torch import Tensor

from lab import kernels
from lab.model.layers import Linear

pytestmark = pytest.mark.skipif(kernels.operations() is None, reason="no kernels here")

# Tokens, inputs, outputs: tails of every kind.
SHAPES = [(1, 1, 1), (7, 5, 17), (130, 33, 80), (64, 160, 129)]


def backward(layer: Linear, x: Tensor, by_y: Tensor, *, adds: bool) -> list[Tensor]:
    """Of input, weight and bias, where something was in .grad before."""
    layer.adds_gradients = adds
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    given = x.clone().requires_grad_()
    y = layer(given)
    assert ("_AddingLinear" in type(y.grad_fn).__name__) == adds
    y.backward(by_y)
    assert given.grad is not None
    return [given.grad, *(p.grad for p in layer.parameters() if p.grad is not None)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_they_are_autograds(shape: tuple[int, int, int]) -> None:
    tokens, inputs, outputs = shape
    torch.manual_seed(1)
    layer = Linear(inputs, outputs)
    x, by_y = torch.randn(tokens, inputs).bfloat16(), torch.randn(tokens, outputs).bfloat16()
    ours = backward(layer, x, by_y, adds=True)
    wanted = backward(layer, x, by_y, adds=False)
    assert torch.equal(ours[0], wanted[0])
    assert torch.equal(ours[1], wanted[1])
    # torch rounds the sum of a bias to bf16 before it is added; here it stays in fp32.
    torch.testing.assert_close(ours[2], by_y.float().sum(0) + 1, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours[2], wanted[2], rtol=2**-7, atol=2**-4)


def test_the_shape_of_the_input_stays() -> None:
    layer = Linear(16, 32)
    x = torch.randn(2, 3, 16).bfloat16()
    turned = torch.randn(2, 32, 3).bfloat16().transpose(1, 2)  # a gradient that lies otherwise
    ours = backward(layer, x, turned, adds=True)
    assert ours[0].shape == x.shape
    for one, other in zip(ours, backward(layer, x, turned, adds=False), strict=True):
        torch.testing.assert_close(one, other, rtol=2**-6, atol=2**-6)


def test_threads_change_no_bit() -> None:
    torch.manual_seed(1)
    layer, x, by_y = Linear(160, 640), torch.randn(300, 160), torch.randn(300, 640)
    before = torch.get_num_threads()
    try:
        each = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            each.append(backward(layer, x.bfloat16(), by_y.bfloat16(), adds=True)[2])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*each)


def test_what_is_fresh_counts_as_zero() -> None:
    torch.manual_seed(1)
    layer = Linear(33, 80)
    layer.adds_gradients = True
    x, by_y = torch.randn(7, 33).bfloat16(), torch.randn(7, 80).bfloat16()

    def twice(*, fresh: bool, left: float) -> list[Tensor]:
        for parameter in layer.parameters():
            parameter.grad = torch.full_like(parameter, left)
        layer.fresh = fresh
        for part in (x, x * 0.5):
            layer(part).backward(by_y)
        assert not layer.fresh
        return [p.grad for p in layer.parameters() if p.grad is not None]

    wanted = twice(fresh=False, left=0.0)
    for one, other in zip(twice(fresh=True, left=float("nan")), wanted, strict=True):
        assert torch.equal(one, other)
    layer.adds_gradients = False  # autograd adds: then it must find zeros
    for one, other in zip(twice(fresh=True, left=float("nan")), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=2**-6, atol=2**-6)


def test_only_where_there_is_something_to_add_to() -> None:
    layer, x = Linear(16, 32), torch.randn(3, 16)
    layer.adds_gradients = True
    layer(x.bfloat16()).sum().backward()  # no .grad yet: autograd makes it
    assert layer.weight.grad is not None
    assert "_AddingLinear" not in type(layer(x).grad_fn).__name__  # fp32
    with torch.no_grad():
        assert layer(x.bfloat16()).grad_fn is None
