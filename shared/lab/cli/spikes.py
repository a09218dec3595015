"""A spike as a line in the terminal."""

from lab.v1.recording_pb2 import SPIKE_KIND_GRAD_NORM, SPIKE_KIND_LOSS, SpikeFlagged

_NAMES = {SPIKE_KIND_LOSS: "loss", SPIKE_KIND_GRAD_NORM: "gradient norm"}


def spike_lines(spike: SpikeFlagged) -> list[str]:
    """One line; none for a step that was no number, of which the log tells."""
    name = _NAMES.get(spike.kind)
    if name is None:
        return []
    worst = ", ".join(f"{each.index} ({each.loss:.2f})" for each in spike.worst)
    return [
        f"step {spike.step:,}: {name} {spike.value:.3g} is far above the usual "
        f"(z {spike.z:.1f}); worst sequences of its batch: {worst}"
    ]
