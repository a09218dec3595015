"""A line that says what is being done, kept out of the way of programs that read the output."""

from __future__ import annotations

from types import TracebackType

from rich.status import Status

from lab.cli.output import answers


class Steps:
    """On a terminal a spinner with the newest step; elsewhere only what is done is printed."""

    def __init__(self) -> None:
        self._status = Status("", console=answers) if answers.is_terminal else None

    def __enter__(self) -> Steps:
        if self._status:
            self._status.start()
        return self

    def show(self, what: str, share: float = 0.0) -> None:
        """`share` is how much of it is done, 0 to 1; 0 says nothing about it."""
        if self._status:
            self._status.update(f"{what} {share:.0%}" if 0 < share < 1 else what)

    def done(self, sentence: str) -> None:
        answers.print(sentence)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status:
            self._status.stop()
