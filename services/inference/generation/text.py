"""Bytes of tokens to text that can be shown: whole characters only, and nothing from a stop on."""

import codecs
from collections.abc import Sequence


class TextDeltas:
    """Bytes in, text out: holds back the bytes of a character until it is complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, data: bytes) -> str:
        return self._decoder.decode(data)

    def rest(self) -> str:
        """What is left at the end: a character that was never finished shows as U+FFFD."""
        return self._decoder.decode(b"", final=True)


class Stops:
    """Text in, text out, ending before the first stop string: holds back what may become one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = list(stops)
        self._held = ""
        self.reached = False

    def add(self, text: str) -> str:
        if self.reached:
            return ""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.reached = True
            shown, self._held = self._held[: min(found)], ""
            return shown
        keep = max((self._begun(stop) for stop in self._stops), default=0)
        shown = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return shown

    def rest(self) -> str:
        """What was held back and became no stop."""
        shown, self._held = self._held, ""
        return shown

    def _begun(self, stop: str) -> int:
        """How many letters at the end are the beginning of the stop."""
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)
