"""Puts plain values (from YAML, from `--set`) into a RunSpec, checking names and types."""

import difflib
from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from lab.errors import Violation

_INTEGERS = {FieldDescriptor.TYPE_UINT32: 2**32 - 1, FieldDescriptor.TYPE_UINT64: 2**64 - 1}


def fill(message: Message, values: Mapping[str, Any], *, path: str = "") -> list[Violation]:
    """Sets every named field; whatever cannot be set is told in the answer, with its path."""
    violations: list[Violation] = []
    for name, value in values.items():
        violations += assign(message, str(name), value, path=path)
    return violations


def assign(message: Message, name: str, value: Any, *, path: str = "") -> list[Violation]:
    """Sets one field of the message from plain data."""
    here = f"{path}.{name}" if path else name
    field: Any = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        return [Violation(here, unknown(name, list(message.DESCRIPTOR.fields_by_name)))]
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        if not isinstance(value, Mapping):
            return [Violation(here, f"must be a group of {_names(field.message_type)}")]
        part: Message = getattr(message, name)
        part.SetInParent()
        return fill(part, value, path=here)
    if field.is_repeated:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return [Violation(here, f"must be a list of texts, but is {_shown(value)}")]
        if not value:
            return [Violation(here, "must hold at least one entry")]
        message.ClearField(name)
        getattr(message, name).extend(value)
        return []
    try:
        setattr(message, name, _scalar(field, value))
    except ValueError as error:
        return [Violation(here, str(error))]
    return []


def unknown(name: str, known: list[str]) -> str:
    """The sentence for a name that is none of `known`."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"is not known; {hint}"


def enum_word(enum: EnumDescriptor, number: int) -> str:
    """A value of an enum as people write it: SCHEDULE_SHAPE_COSINE is "cosine"."""
    return str(enum.values_by_number[number].name).removeprefix(_prefix(enum)).lower()


def _scalar(field: FieldDescriptor, value: Any) -> int | float | bool | str:
    if field.enum_type is not None:
        return _enum_number(field.enum_type, value)
    if field.type == FieldDescriptor.TYPE_BOOL:
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, but is {_shown(value)}")
        return value
    if field.type == FieldDescriptor.TYPE_STRING:
        if not isinstance(value, str):
            raise ValueError(f"must be a text, but is {_shown(value)}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, but is {_shown(value)}")
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        try:
            return float(value)
        except OverflowError:
            raise ValueError("must be a finite number") from None
    largest = _INTEGERS[field.type]
    if not isinstance(value, int) or not 0 <= value <= largest:
        raise ValueError(f"must be a whole number from 0 to {largest:,}, but is {_shown(value)}")
    return value


def _enum_number(enum: EnumDescriptor, value: Any) -> int:
    words = {enum_word(enum, number): number for number in enum.values_by_number if number}
    text = str(value)
    for word, number in words.items():
        if text in (word, f"{_prefix(enum)}{word.upper()}"):
            return number
    raise ValueError(f"must be one of {', '.join(words)}, but is {_shown(value)}")


def _prefix(enum: EnumDescriptor) -> str:
    """The common beginning of an enum's values: that of its zero, ..._UNSPECIFIED."""
    return str(enum.values_by_number[0].name).removesuffix("UNSPECIFIED")


def _names(message: Descriptor) -> str:
    return ", ".join(message.fields_by_name)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
