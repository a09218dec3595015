"""The loss where no number may be asked of the device: the same as where it may."""

import torch

from lab.model import loss


def test_without_asking_which_tokens_are_sure_the_losses_are_the_same() -> None:
    torch.manual_seed(0)
    logits = torch.randn(64, 128) * 4
    target = torch.randint(0, 128, (64,))
    logits[torch.arange(32), target[:32]] += 20.0  # of half of them the model is sure
    rows = logits.softmax(1).bfloat16()
    asked, unasked = rows.clone(), rows.clone()
    one = loss._take_target(asked, target, torch.float32, may_ask=True)
    other = loss._take_target(unasked, target, torch.float32, may_ask=False)
    torch.testing.assert_close(other, one, rtol=0.02, atol=1e-7)
    torch.testing.assert_close(unasked, asked, rtol=0.02, atol=1e-7)
    assert (one[:32] < 1e-3).any()
