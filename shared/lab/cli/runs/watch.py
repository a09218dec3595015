"""Follows one run on one line of a terminal, or in plain lines when the reader is a program."""

from __future__ import annotations

from rich.live import Live
from rich.text import Text

from lab.cli.output import answers, duration
from lab.cli.runs.command import state_of
from lab.cli.spikes import spike_lines
from lab.client import Lab
from lab.run_state import at_rest
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import Run

PLAIN_EVERY_SECS = 2.0
BAR_COLUMNS = 24


async def follow(lab: Lab, name: str) -> Run:
    """Shows progress until the run is at rest; answers the run as it ended."""
    position = await lab.runs.position(name)  # before the run, so that nothing falls between
    run = await lab.runs.get(name)
    line = Line(run)
    if not line.at_rest:
        with Live(line.text(), console=answers, auto_refresh=False, transient=True) as live:
            shown_at_secs = 0.0
            async for event in lab.runs.watch(name, after_sequence=position):
                for sentence in line.take(event):
                    answers.print(sentence)
                if answers.is_terminal:
                    live.update(line.text(), refresh=True)
                elif (
                    not line.at_rest and event.time.ToSeconds() - shown_at_secs >= PLAIN_EVERY_SECS
                ):
                    shown_at_secs = event.time.ToSeconds()
                    answers.print(line.text())
        run = await lab.runs.get(name)
        line = Line(run)
    answers.print(line.text())
    if run.state_reason:
        answers.print(run.state_reason)
    return run


class Line:
    """The newest numbers of one run, folded from its facts."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def at_rest(self) -> bool:
        return at_rest(self._run)

    def take(self, event: Event) -> list[str]:
        """Folds a fact in; answers what deserves a line of its own."""
        stats = self._run.stats
        match event.WhichOneof("fact"):
            case "run_state_changed":
                self._run = event.run_state_changed.run
            case "step_measured":
                fact = event.step_measured
                stats.step, stats.loss, stats.tokens = fact.step, fact.loss, fact.tokens
                stats.tokens_per_sec = fact.tokens_per_sec
                stats.elapsed_secs = fact.elapsed_secs
            case "evaluation_completed":
                stats.validation_loss = event.evaluation_completed.loss
            case "text_sampled":
                sample = event.text_sampled
                return [f"step {sample.step:,}: {sample.prompt}{sample.text}".replace("\n", "⏎")]
            case "checkpoint_committed":
                return [f"saved {event.checkpoint_committed.checkpoint}"]
            case "log_written":
                return [event.log_written.text]
            case "spike_flagged":
                return spike_lines(event.spike_flagged)
        return []

    def text(self) -> Text:
        run, stats = self._run, self._run.stats
        share = stats.step / stats.total_steps if stats.total_steps else 0.0
        done = round(share * BAR_COLUMNS)
        parts = [
            f"{run.name.removeprefix('runs/')} {state_of(run)}",
            f"step {stats.step:,}/{stats.total_steps:,}",
        ]
        if answers.is_terminal:
            parts.insert(1, "━" * done + "╌" * (BAR_COLUMNS - done))
        if stats.HasField("loss"):
            parts.append(f"loss {stats.loss:.4f}")
        if stats.HasField("validation_loss"):
            parts.append(f"val {stats.validation_loss:.4f}")
        if stats.tokens_per_sec:
            parts.append(f"{stats.tokens_per_sec:,.0f} tok/s")
            left = (stats.total_steps - stats.step) * stats.elapsed_secs / max(1, stats.step)
            parts.append(f"{duration(stats.elapsed_secs)} + {duration(left)}")
        return Text("  ".join(parts), overflow="ellipsis", no_wrap=True)
