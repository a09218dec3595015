"""The one table of subjects: `lab.v1.<topic>.<who>`, always four tokens, who comes last.

The version is second so that a v2 can live beside it. Run ids are NATS tokens by construction, so
nothing is ever escaped. Subjects are built and taken apart here and nowhere else.
"""

from collections.abc import Mapping
from typing import Final

from lab import names
from lab.v1.event_pb2 import Event

PREFIX: Final = "lab.v1"

# Case of Event.fact -> topic. A deletion is the last word on the run, so it shares its subject.
TOPICS: Final[Mapping[str, str]] = {
    "run_state_changed": "run",
    "run_deleted": "run",
    "run_resumed": "run",
    "step_differed": "log",
    "evaluation_completed": "eval",
    "text_sampled": "sample",
    "checkpoint_committed": "checkpoint",
    "log_written": "log",
    "settings_changed": "log",  # told where the run's log is told
    "step_measured": "step",
    "interval_measured": "interval",
    "health_measured": "health",
    "spike_flagged": "spike",
    "probe_recorded": "probe",
    "run_rewound": "run",
    "service_beat": "beat",
    # Not "checkpoint": the stream of the runs' facts keeps that, and this is only said.
    "checkpoint_changed": "shelf",
}


def topic(name: str, who: str = "*") -> str:
    """A subject to read from: of one run or service, or of all with "*"."""
    if name not in TOPICS.values():
        raise ValueError(f"no topic is called {name!r}; there are {sorted(set(TOPICS.values()))}")
    return f"{PREFIX}.{name}.{who}"


def subject_of(event: Event) -> str:
    """The subject a fact is published on."""
    fact = event.WhichOneof("fact")
    if fact is None:
        raise ValueError("an event without a fact has no subject")
    if fact == "service_beat":
        return topic("beat", event.service_beat.service)
    if fact == "checkpoint_changed":
        run, _ = names.checkpoint_ids(event.checkpoint_changed.checkpoint)
        return topic("shelf", run)
    return topic(TOPICS[fact], names.run_id(event.run))


def who(subject: str) -> str:
    """The run id or service in a subject."""
    return subject.rpartition(".")[2]
