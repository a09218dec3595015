"""JSON text to a lab.v1 message, or every field at fault.

protobuf's own parser stops at the first mistake, names it by Python types, repeats the value, and
takes some that JSON people would not write (true for 1.0, a list for a message, the string "NaN").
So the document is checked against the descriptor first; what passes is parsed by protobuf.
"""

from collections.abc import Collection, Iterator
from typing import Any, TypeVar, cast

import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from lab.errors import InvalidArgument, Violation
from services.gateway.api.problems import malformed

M = TypeVar("M", bound=Message)

MAX_VIOLATIONS = 20
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_MAX_DIGITS = 20  # of a 64-bit integer
_FLOATS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


def read_json(text: bytes, kind: type[M], *, without: Collection[str] = ()) -> M:
    """The message that the JSON text says; nothing at all says an empty one.

    `without` names fields that come from elsewhere (the address) and may not be in the text.
    Raises InvalidArgument naming every field at fault.
    """
    document = _decoded(text) if text.strip() else {}
    found = _message(cast(Descriptor, kind.DESCRIPTOR), document, "", without)
    violations = [violation for violation, _ in zip(found, range(MAX_VIOLATIONS), strict=False)]
    if violations:
        raise InvalidArgument.of(*violations)
    try:
        return json_format.ParseDict(document, kind())
    except json_format.ParseError as error:
        raise malformed("the body is not the message this address takes; see /docs") from error


def _decoded(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise malformed(f"not JSON at {where}: {error.msg}") from None


def _message(
    kind: Descriptor, document: Any, path: str, without: Collection[str]
) -> Iterator[Violation]:
    if not isinstance(document, dict):
        yield Violation(_public(path) or "body", "must be a JSON object")
        return
    by_name = {field.name: field for field in kind.fields}
    by_name |= {field.json_name: field for field in kind.fields}
    for key, value in document.items():
        field = by_name.get(key)
        if field is None:
            known = ", ".join(field.json_name for field in kind.fields if field.name not in without)
            yield Violation(_public(_join(path, _shown(key))), f"is no field; known: {known}")
        elif field.name in without:
            yield Violation(_public(_join(path, field.name)), "is in the address; leave it out")
        elif value is not None:
            yield from _field(field, value, _join(path, field.name))


def _field(field: FieldDescriptor, value: Any, path: str) -> Iterator[Violation]:
    if not field.is_repeated:
        yield from _one(field, value, path)
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from _map(field.message_type.fields_by_name["value"], value, path)
    elif not isinstance(value, list):
        yield Violation(_public(path), "must be a list")
    else:
        for index, each in enumerate(value):
            yield from _one(field, each, f"{path}[{index}]")


def _map(values: FieldDescriptor, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield Violation(_public(path), "must be a JSON object")
        return
    for key, each in value.items():
        if "\0" in key:
            yield Violation(_public(path), "must not hold the character U+0000")
        yield from _one(values, each, _join(path, _shown(key)))


def _one(field: FieldDescriptor, value: Any, path: str) -> Iterator[Violation]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        assert field.message_type is not None
        yield from _message(field.message_type, value, path, ())
    elif problem := _scalar_problem(field, value):
        yield Violation(_public(path), problem)


def _scalar_problem(field: FieldDescriptor, value: Any) -> str | None:
    if limits := _INTEGERS.get(field.cpp_type):
        return _integer_problem(value, *limits)
    if field.cpp_type in _FLOATS:
        return _number_problem(value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return None if isinstance(value, bool) else "must be true or false"
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        return _enum_problem(field.enum_type, value)
    if not isinstance(value, str):
        return "must be a text"
    return "must not hold the character U+0000" if "\0" in value else None


def _integer_problem(value: Any, low: int, high: int) -> str | None:
    limits = f"must be a whole number from {low} to {high}"
    if isinstance(value, str):  # how ProtoJSON writes 64-bit integers
        if len(value) > _MAX_DIGITS or not value.removeprefix("-").isdecimal():
            return limits
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return limits
    return None if value == int(value) and low <= value <= high else limits


def _number_problem(value: Any) -> str | None:
    """JSON has no NaN and no infinity; protobuf would take them as texts, we do not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number, and not NaN or infinite"
    return None


def _enum_problem(kind: EnumDescriptor, value: Any) -> str | None:
    # By name only: a number would tie clients to the wire.
    if isinstance(value, str) and value in kind.values_by_name:
        return None
    return f"must be one of {', '.join(each.name for each in kind.values)}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _public(path: str) -> str:
    """A field of a spec has one path everywhere: the trainer knows nothing of `overrides`."""
    return path.removeprefix("overrides.")


def _shown(key: str) -> str:
    """An unknown key, cut and cleaned so that it can be said back."""
    return "".join(letter if letter.isprintable() else "?" for letter in key[:60]) or "(empty)"
