"""One optimizer step: read, predict, compare, find the gradients, move the weights.

Book: chapter 5, the loss in section 5.1 and the training function in 5.2; warm-up, decay and
clipping are appendix D. There a step is four lines, and they are all here:

    optimizer.zero_grad()                                training.forget_gradients()
    loss = calc_loss_batch(inputs, targets, model)       model.hidden, then linear_cross_entropy
    loss.backward()                                      share.backward()
    optimizer.step()                                     clip_and_step

Shapes: B sequences in a step, b of them in a micro-batch, T tokens in each, C numbers per token.
"""

import math
from functools import cached_property, partial

import torch
from torch import Tensor

from lab.model import linear_cross_entropy
from lab.spec.randomness import derive
from services.trainer.worker.graphs import GraphedPass
from services.trainer.worker.optim import clip_and_step, learning_rate
from services.trainer.worker.training import Training

# So many steps in a row that are no number are no accident of one batch.
MOST_SKIPPED_IN_A_ROW = 3
# A device that works ahead of us is not halted every step just to ask whether all is well.
LOOK_EVERY = 10


class StepResult:
    """What a step was like. The numbers are on the device: the first look waits for it."""

    def __init__(self, numbers: Tensor, sequence_losses: Tensor, *, learning_rate: float) -> None:
        self._numbers = numbers
        self._sequence_losses = sequence_losses
        self.learning_rate = learning_rate

    def wait(self) -> None:
        """Returns when the device has made the step. A processor has; a GPU works behind us."""
        self._looked  # noqa: B018

    @property
    def loss(self) -> float:
        """Of the batch before the update, in nats per token."""
        return self._looked[0]

    @property
    def grad_norm(self) -> float:
        """Before clipping."""
        return self._looked[1]

    @property
    def skipped_in_a_row(self) -> int:
        """Steps up to this one whose loss or gradient was no number, so that nothing was moved."""
        return int(self._looked[2])

    @cached_property
    def sequence_losses(self) -> list[float]:
        """The loss of each sequence of the batch, in nats per token, in the order of the batch."""
        losses: list[float] = self._sequence_losses.tolist()
        return losses

    @cached_property
    def _looked(self) -> list[float]:
        numbers: list[float] = self._numbers.tolist()
        return numbers


class Diverged(Exception):
    """The loss or the gradient is no number any more, step after step; none was applied."""


def training_step(training: Training) -> StepResult:
    """Makes the next step of the run; raises Diverged after a few that could not be applied.

    The batch goes through the model in micro-batches, as large as memory allows, whose gradients
    add up. Each loss is the sum over its tokens divided by the tokens of the whole batch, so that
    any way of cutting the batch gives the same mean, also a cut among several processes.
    """
    spec, optimizer, ranks = training.spec, training.optimizer, training.ranks
    step = training.step + 1
    # A pure function of the step: nothing to save, and a resumed run cannot get it wrong.
    rate = learning_rate(spec, step) * training.rate_scale
    for group in optimizer.param_groups:
        group["lr"] = rate
    training.forget_gradients()
    losses: list[Tensor] = []
    part = ranks.part(spec.budget.batch)
    place = part.start  # in the batch; what is dropped depends on it, not on who reads it
    for inputs, targets in training.batches.of_step(
        step, micro_batch=spec.budget.micro_batch, part=part
    ):
        if spec.model.dropout:
            torch.manual_seed(derive(spec.data.seed, "dropout", step, place))
        losses.append(_pass(training, inputs, targets))
        place += len(inputs)
    training.settle_gradients()
    # Every parameter's .grad is a piece of this one row, so that it is summed in one go.
    ranks.sum(training.gradients)
    sequence_losses = ranks.whole(torch.cat(losses), batch=spec.budget.batch)  # (B,)
    loss = sequence_losses.mean()
    norm = clip_and_step(training.gradients, optimizer, loss, clip=spec.optimizer.clip)
    # Counted on the device, as everything here: a look at a number would wait for it.
    bad = ~torch.isfinite(loss + norm)
    training.skipped_in_a_row = (training.skipped_in_a_row + 1) * bad
    training.newest_loss = torch.where(bad, training.newest_loss, loss)
    numbers = torch.stack([loss, norm, training.skipped_in_a_row])
    result = StepResult(numbers, sequence_losses, learning_rate=rate)
    training.step = step
    if training.device.type == "cpu" or step % LOOK_EVERY == 0:
        _check(step, result, clip=spec.optimizer.clip)
    return result


def _pass(training: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    """A micro-batch on its way to the device and through the model; its sequences' losses (b).

    A GPU copies from pinned memory by itself, while we prepare what comes next.
    """
    if training.device.type == "cpu":
        return _add_gradients(training, inputs, targets)
    inputs = inputs.pin_memory().to(training.device, non_blocking=True)
    targets = targets.pin_memory().to(training.device, non_blocking=True)
    if not training.graphs_allowed:
        return _add_gradients(training, inputs, targets)
    if inputs.shape not in training.passes:  # a batch that is cut unevenly has two shapes
        add_gradients = partial(_add_gradients, training)
        training.passes[inputs.shape] = GraphedPass(add_gradients, training.gradients, inputs)
    return training.passes[inputs.shape](inputs, targets)


def _add_gradients(training: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    """Adds a micro-batch's share to every parameter's .grad; answers its sequences' losses (b).

    Cross-entropy: how surprised the model is by each next token, in nats. The target of each place
    is the token that stands one further on, so one text of T tokens is T exercises, and the causal
    mask sees to it that none knows its answer. An untrained model's loss is ln V: all V tokens are
    the same to it.

    The head and the loss are one function, because the logits (b T, V) are by far the largest thing
    in a step (lab.model.loss). It puts the head's gradient where it belongs at once; `backward`
    takes the rest of the way down, through the blocks to the embeddings.
    """
    hidden = training.model.hidden(inputs, dtype=training.dtype)  # (b, T, C)
    head = training.model.head_weight
    share, token_losses = linear_cross_entropy(
        hidden.flatten(0, 1),  # (b T, C)
        head,  # (V, C)
        targets.flatten(),  # (b T)
        room=training.room,
        scale=1 / training.batch_tokens,
        gradient=head.grad,
        fresh=training.head_is_fresh,
    )
    training.head_is_fresh = False
    share.backward()  # type: ignore[no-untyped-call]
    return token_losses.view_as(targets).mean(dim=1)  # (b T) to (b, T) to (b)


def _check(step: int, result: StepResult, *, clip: float) -> None:
    row = result.skipped_in_a_row
    if row < MOST_SKIPPED_IN_A_ROW:
        return
    what = (
        f"the loss became {result.loss}"
        if not math.isfinite(result.loss)
        else f"the gradient norm became {result.grad_norm}"
    )
    tries = [f"a lower learning rate than {result.learning_rate:g}", "a longer warm-up"]
    if not clip:
        tries.append("gradient clipping (optimizer.clip 1.0)")
    raise Diverged(
        f"At step {step - row + 1} {what}, and so it stayed: steps {step - row + 1} to {step} were "
        f"not applied and the run ended. Try {', or '.join(tries)}."
    )
