"""What the run's probe texts told, read from its journal."""

import apsw

from lab.errors import NotFound, OverLimit
from lab.limits import MAX_RECORDS
from lab.text import Tokenizer
from lab.v1.recording_pb2 import ListProbesResponse, ProbeRecord
from services.trainer.history.picking import evenly
from services.trainer.journal import journal_file

DEFAULT_RECORDS = 200


def list_probes(
    connection: apsw.Connection, *, scores: bool = False, limit: int = 0
) -> ListProbesResponse:
    """Every step that was recorded, and the losses at each. Blocks; call it in a thread."""
    if limit > MAX_RECORDS:
        raise OverLimit.field("limit", f"must be at most {MAX_RECORDS:,}, but is {limit:,}")
    steps = journal_file.probe_steps(connection)
    answer = ListProbesResponse(steps=steps)
    for step in evenly(steps, limit or DEFAULT_RECORDS):
        record = journal_file.probe(connection, step, attention=False)
        if not scores:
            record.ClearField("synthetic")
            record.ClearField("natural")
        answer.records.append(_spelled(record))
    return answer


def get_probe(connection: apsw.Connection, step: int) -> ProbeRecord:
    """One record with its attention maps; raises NotFound with the nearest step there is."""
    steps = journal_file.probe_steps(connection)
    if step not in steps:
        nearest = min(steps, key=lambda there: abs(there - step), default=None)
        hint = "none was recorded" if nearest is None else f"the nearest is step {nearest}"
        raise NotFound(f"the probe texts were not looked at after step {step}; {hint}")
    return _spelled(journal_file.probe(connection, step, attention=True))


def _spelled(record: ProbeRecord) -> ProbeRecord:
    """With the text of each token, of which the journal keeps the ids."""
    tokenizer = Tokenizer()
    for text in record.texts:
        pieces = tokenizer.pieces([token.id for token in text.tokens])
        for token, piece in zip(text.tokens, pieces, strict=True):
            token.text = piece
    return record
