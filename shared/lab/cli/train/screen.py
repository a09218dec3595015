"""What `lab train` shows: a bar on a terminal, plain lines when the reader is a program."""

from __future__ import annotations

import time

from rich.progress import BarColumn, Progress, TextColumn

from lab.cli.output import answers, duration
from lab.v1.event_pb2 import StepMeasured

PLAIN_LINE_SECS = 2.0


class Screen:
    """The newest numbers of one training."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._first_loss: float | None = None
        self._newest = StepMeasured()
        self._validation_loss: float | None = None
        self._began = time.monotonic()
        self._line_at = 0.0
        self._bar = Progress(
            BarColumn(24), TextColumn("{task.description}"), console=answers, transient=True
        )
        self._task = self._bar.add_task("starting", total=total)

    def __enter__(self) -> None:
        if answers.is_terminal:
            self._bar.start()

    def __exit__(self, *_: object) -> None:
        if answers.is_terminal:
            self._bar.stop()

    def say(self, sentence: str) -> None:
        answers.print(sentence)

    def step(self, measured: StepMeasured) -> None:
        self._newest = measured
        if self._first_loss is None:
            self._first_loss = measured.loss
        if answers.is_terminal:
            self._bar.update(self._task, completed=measured.step, description=self._text())
            return
        now = time.monotonic()
        edge = measured.step in (1, self._total)
        if edge or now - self._line_at >= PLAIN_LINE_SECS:
            self._line_at = now
            answers.print(self._text())

    def evaluation(self, loss: float) -> None:
        self._validation_loss = loss

    def finish(self) -> None:
        step = self._newest.step
        loss = f", loss {self._first_loss:.4f} → {self._newest.loss:.4f}" if step else ""
        validation = (
            f", validation {self._validation_loss:.4f}" if self._validation_loss is not None else ""
        )
        secs = time.monotonic() - self._began
        self.say(f"{step:,} of {self._total:,} steps{loss}{validation}, {secs:.1f} s")

    def _text(self) -> str:
        newest = self._newest
        left = (self._total - newest.step) * newest.elapsed_secs / max(1, newest.step)
        parts = [f"step {newest.step:,}/{self._total:,}", f"loss {newest.loss:.4f}"]
        if self._validation_loss is not None:
            parts.append(f"val {self._validation_loss:.4f}")
        parts += [f"{newest.tokens_per_sec:,.0f} tok/s", f"{duration(left)} left"]
        return "  ".join(parts)
