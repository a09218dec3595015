"""THE TRAINING LOOP.

Everything else in this folder is what one of these lines does.
"""

import time

from services.trainer.worker.boundary import Boundary, End
from services.trainer.worker.hooks import Hooks, Step
from services.trainer.worker.step import LOOK_EVERY, training_step
from services.trainer.worker.training import Training


def train(training: Training, boundary: Boundary, hooks: Hooks) -> End:
    """Makes the steps that are left; raises Diverged."""
    training.clock.go()
    hooks.on_start(training)
    while training.step < training.spec.budget.steps:
        if end := boundary.cross(training):
            return end
        began = time.perf_counter()
        result = training_step(training)
        if training.step % (training.spec.hooks.metrics_every or LOOK_EVERY) == 0:
            result.wait()  # its numbers are about to be looked at, and its time is told with them
        hooks.after_step(training, Step(result, secs=time.perf_counter() - began))
    hooks.on_end(training)
    boundary.answer_last_requests(training)
    return End.LAST_STEP
