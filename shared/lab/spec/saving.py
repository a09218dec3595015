"""When a run is saved: what its spec says, and over it what was changed while it trains."""

from dataclasses import dataclass

from lab.v1.run_pb2 import LiveSettings
from lab.v1.run_spec_pb2 import HooksSpec


@dataclass(frozen=True)
class SavingPolicy:
    """Any of these saves. With all of them off nothing is ever written unasked."""

    every_steps: int  # 0: not by steps
    every_secs: float  # of training; 0: not by time
    log_spaced: bool  # after 1, 2, 4, 8 ... steps
    best: bool  # whenever the validation loss is lower than it ever was
    on_stop: bool  # when the run ends or is stopped
    weights_only: bool  # what is saved by these: to look into, not to resume from

    @property
    def off(self) -> bool:
        return not (
            self.every_steps or self.every_secs or self.log_spaced or self.best or self.on_stop
        )


def saving_policy(hooks: HooksSpec, live: LiveSettings) -> SavingPolicy:
    """The policy that holds now."""

    def now(name: str) -> bool | int | float:
        value: bool | int | float = getattr(live if live.HasField(name) else hooks, name)  # type: ignore[arg-type]
        return value

    return SavingPolicy(
        every_steps=int(now("checkpoint_every")),
        every_secs=60 * now("checkpoint_minutes"),
        log_spaced=bool(now("checkpoint_log_spaced")),
        best=bool(now("checkpoint_best")),
        on_stop=bool(now("checkpoint_on_stop")),
        weights_only=bool(now("checkpoint_weights_only")),
    )
