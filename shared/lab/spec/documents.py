"""Reads YAML as plain data: YAML 1.2, one document, no tags, no anchors, no duplicate keys, small.

Every config file and every spec a user hands in comes through here, so that none can surprise.
"""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
)

from lab.errors import InvalidArgument
from lab.v1 import error_pb2

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8  # a spec needs 3


def read_document(text: str, *, what: str) -> dict[str, Any]:
    """The top-level mapping of a YAML text; an empty text is an empty mapping.

    `what` names the text in messages. Raises InvalidArgument, with the line wherever there is one.
    """
    if (size := len(text.encode("utf-8", "surrogatepass"))) > MAX_BYTES:
        raise _unreadable(what, f"is {size:,} bytes; the limit is {MAX_BYTES:,}")
    yaml = YAML(typ="safe", pure=True)
    try:
        _refuse_what_is_not_plain(yaml.parse(text), what)
        document = YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        # The library's sentence goes on about both values; what was meant is not ours to guess.
        problem = _first_line(error.problem).partition(" with value ")[0]
        raise _unreadable(what, f"{_where(error)}{problem}; give it once") from error
    except MarkedYAMLError as error:
        raise _unreadable(what, f"{_where(error)}{_first_line(error.problem)}") from error
    except (YAMLError, ValueError, OverflowError) as error:
        raise _unreadable(what, f"cannot be read as YAML: {_first_line(str(error))}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _unreadable(what, 'must be a mapping of names to values, as in "model: {layers: 6}"')
    return document


def _refuse_what_is_not_plain(events: Any, what: str) -> None:
    """Looks at the events, which are flat, before anything nested is built."""
    depth = documents = 0
    for event in events:
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _unreadable(what, f"{_line(event)}holds a second document; give one")
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise _unreadable(what, f"{_line(event)}uses an anchor or alias; write the value out")
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag:
            raise _unreadable(what, f"{_line(event)}uses a tag (!…); only plain data is read")
        if isinstance(event, ScalarEvent) and event.value == "<<" and event.style is None:
            raise _unreadable(what, f"{_line(event)}uses a merge key (<<); write the values out")
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _unreadable(what, f"{_line(event)}is nested deeper than {MAX_DEPTH} levels")


def _unreadable(what: str, problem: str) -> InvalidArgument:
    return InvalidArgument(f"{what}: {problem}", reason=error_pb2.ERROR_REASON_MALFORMED)


def _line(event: Event) -> str:
    return f"line {event.start_mark.line + 1} "


def _where(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _first_line(text: str | None) -> str:
    lines = (text or "cannot be read as YAML").strip().splitlines()
    return lines[0]
