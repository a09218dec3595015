"""The JetStream streams, declared once. JetStream is transport and replay, never the only copy."""

from typing import Final

from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from lab.bus.subjects import topic

RUNS: Final = "RUNS"
STEPS: Final = "STEPS"

DAY_SECS: Final = 24 * 3600.0
MIB: Final = 1 << 20
# A publish that is repeated within this time is stored once. Readers drop what comes later.
DUPLICATE_WINDOW_SECS: Final = 120.0

RUN_TOPICS: Final = (
    *("run", "eval", "sample", "checkpoint", "log"),
    *("interval", "health", "spike", "probe"),
)

STREAMS: Final[tuple[api.StreamConfig, ...]] = (
    api.StreamConfig(
        name=RUNS,
        description="what happened to runs: states, evaluations, samples, health, checkpoints",
        subjects=[topic(name) for name in RUN_TOPICS],
        storage=api.StorageType.FILE,
        retention=api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy.OLD,
        max_msgs_per_subject=20_000,
        max_age=30 * DAY_SECS,
        max_bytes=512 * MIB,
        num_replicas=1,
        duplicate_window=DUPLICATE_WINDOW_SECS,
    ),
    api.StreamConfig(
        name=STEPS,
        description="one message per measured training step",
        subjects=[topic("step")],
        storage=api.StorageType.FILE,
        compression=api.StoreCompression.S2,
        retention=api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy.OLD,
        max_msgs_per_subject=100_000,
        max_bytes=2048 * MIB,
        num_replicas=1,
        duplicate_window=DUPLICATE_WINDOW_SECS,
    ),
)


async def ensure_streams(jetstream: JetStreamContext) -> None:
    """Makes the streams that are missing and brings the others up to date. Safe to repeat."""
    for wanted in STREAMS:
        assert wanted.name is not None
        try:
            found = (await jetstream.stream_info(wanted.name)).config
        except NotFoundError:
            await jetstream.add_stream(wanted)
            continue
        if _differs(found, wanted):
            await jetstream.update_stream(wanted)


def _differs(found: api.StreamConfig, wanted: api.StreamConfig) -> bool:
    compared = (
        "description",
        "subjects",
        "max_msgs_per_subject",
        "max_age",
        "max_bytes",
        "duplicate_window",
        "compression",
    )
    return any((getattr(found, key) or 0) != (getattr(wanted, key) or 0) for key in compared)
