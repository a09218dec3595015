"""What a service still waits for.

Ready means: its ports are open, everything it needs has answered, and none of it is lost.
"""

from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Readiness:
    """Each need is announced once with `needs`, then reported with `met` and `lost`."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._watchers: list[Callable[[bool], None]] = []
        self._listening = False

    @property
    def ready(self) -> bool:
        return self._listening and not self._waiting

    @property
    def waiting_for(self) -> list[str]:
        """Names of what has not answered, each with its address, sorted."""
        return sorted(self._waiting.values())

    def watch(self, changed: Callable[[bool], None]) -> None:
        self._watchers.append(changed)

    def needs(self, name: str, where: str) -> None:
        """The service cannot work until `name`, found at `where`, has answered."""
        self._change(lambda: self._waiting.__setitem__(name, f"{name} at {where}"))
        log.info("waiting", need=name, where=where)

    def met(self, name: str) -> None:
        if name in self._waiting:
            self._change(lambda: self._waiting.pop(name))
            log.info("answered", need=name)

    def lost(self, name: str, where: str) -> None:
        if name not in self._waiting:
            log.warning("lost", need=name, where=where)
            self._change(lambda: self._waiting.__setitem__(name, f"{name} at {where}"))

    def listening(self, on: bool) -> None:
        """Whether the service's own ports are open."""
        self._change(lambda: setattr(self, "_listening", on))

    def _change(self, apply: Callable[[], object]) -> None:
        before = self.ready
        apply()
        if self.ready != before:
            log.info("ready" if self.ready else "not ready", waiting_for=self.waiting_for)
            for changed in self._watchers:
                changed(self.ready)
