"""A worker that trains nothing and says as much as asked; its link is its standard input.

What a dashboard can take is then measured without a processor full of training beside it.
"""

from __future__ import annotations

import math
import random
import socket
import sys
import threading
import time

from lab.link import Link, LinkClosed
from lab.v1.event_pb2 import EvaluationCompleted, StepMeasured
from lab.v1.recording_pb2 import HealthMeasured, IntervalMeasured
from lab.v1.worker_pb2 import (
    TrainingFinished,
    TrainingStarted,
    WorkerCommand,
    WorkerEvent,
)

TOKENS, SEQUENCES = 1_024, 4
EVALUATE_EVERY, HEALTH_EVERY, INTERVAL_EVERY = 500, 200, 100
# Made at once. What a page keeps of a run is bounded, and is full after these: 500 health looks.
FIRST_STEPS = 100_000
TENSORS = [f"h.{block}.{part}" for block in range(6) for part in ("attn", "mlp")]


def main(steps_per_sec: float) -> None:
    link = Link(socket.socket(fileno=0))
    start = link.receive(WorkerCommand).start
    stopped = threading.Event()
    threading.Thread(target=_listen, args=(link, stopped), daemon=True).start()
    link.send(WorkerEvent(started=TrainingStarted(parameters=10_000_000)))
    began, step = time.monotonic(), 0
    chance = random.Random(7)
    while step < start.spec.budget.steps and not stopped.is_set():
        step += 1
        paced = max(0, step - FIRST_STEPS) / steps_per_sec
        if step == FIRST_STEPS:
            began = time.monotonic()
        stopped.wait(max(0.0, began + paced - time.monotonic()))
        link.send(WorkerEvent(step_measured=_step(step, step / steps_per_sec, chance)))
        for event in _rarer(step, chance):
            link.send(event)
    link.send(WorkerEvent(finished=TrainingFinished(step=step, stopped=stopped.is_set())))


def _listen(link: Link, stopped: threading.Event) -> None:
    try:
        while link.receive(WorkerCommand).WhichOneof("command") != "stop":
            pass
    except LinkClosed:
        pass
    stopped.set()


def _loss(step: int, chance: random.Random) -> float:
    return 3 + 7.8 * math.exp(-step / 2_000) + chance.gauss(0, 0.1)


def _step(step: int, secs: float, chance: random.Random) -> StepMeasured:
    loss = _loss(step, chance)
    return StepMeasured(
        step=step,
        tokens=step * TOKENS,
        loss=loss,
        grad_norm=1 + chance.random(),
        learning_rate=1e-3 * min(1.0, step / 1_000),
        tokens_per_sec=TOKENS * step / max(secs, 1e-3),
        step_secs=secs / step,
        memory_bytes=(500 << 20) + chance.randrange(1 << 20),
        elapsed_secs=secs,
        data_position=step * SEQUENCES,
        sequence_losses=[loss] * SEQUENCES,
        clip_share=1.0,
    )


def _rarer(step: int, chance: random.Random) -> list[WorkerEvent]:
    events = []
    if step % EVALUATE_EVERY == 0:
        measured = EvaluationCompleted(step=step, loss=_loss(step, chance), tokens=8 * TOKENS)
        events.append(WorkerEvent(evaluation_completed=measured))
    if step % HEALTH_EVERY == 0:
        sizes = [0.02 + chance.random() / 1_000 for _ in TENSORS]
        health = HealthMeasured(
            step=step,
            tensors=TENSORS,
            weight_rms=sizes,
            gradient_rms=sizes,
            update_rms=[size / 1_000 for size in sizes],
        )
        events.append(WorkerEvent(health_measured=health))
    if step % INTERVAL_EVERY == 0:
        interval = IntervalMeasured(step=step, steps=INTERVAL_EVERY, tokens_per_sec=2e5)
        events.append(WorkerEvent(interval_measured=interval))
    return events


if __name__ == "__main__":
    main(float(sys.argv[1]))
