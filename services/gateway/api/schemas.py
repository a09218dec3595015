"""lab.v1 descriptors as JSON Schema, with the proto comments as descriptions.

`reference` points at a message's schema; `definitions` makes the schemas that references name.
"""

import functools
import json
from collections.abc import Collection, Iterable, Iterator
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_PREFIX = "#/components/schemas/"
_TIMESTAMP = {"type": "string", "format": "date-time"}
_NUMBERS: dict[int, dict[str, Any]] = {
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "format": "uint32", "minimum": 0},
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
}


def reference(kind: type[Message], *, without: Collection[str] = ()) -> dict[str, str]:
    """Points at the schema of a message, less the fields that a request has in its address."""
    name = kind.DESCRIPTOR.name
    return {"$ref": _PREFIX + ".without.".join([name, *without])}


def definitions(names: Iterable[str]) -> dict[str, Any]:
    """The schema behind each name that a reference used, and of all that they refer to."""
    found: dict[str, Any] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        message, *without = name.split(".without.")
        kind = descriptor_pool.Default().FindMessageTypeByName(f"lab.v1.{message}")
        found[name] = _schema(kind, without)
        waiting += [each.name for each in _referred(kind)]
    return dict(sorted(found.items()))


def referred_names(document: Any) -> set[str]:
    """The names of all references inside a JSON document."""
    if isinstance(document, dict):
        inside = set[str]().union(*(referred_names(value) for value in document.values()))
        name = document.get("$ref")
        return inside | ({name.removeprefix(_PREFIX)} if isinstance(name, str) else set())
    if isinstance(document, list):
        return set[str]().union(*(referred_names(each) for each in document))
    return set()


@functools.cache
def comments() -> dict[str, str]:
    """Comments of the proto files by full name, as proto/generate.py left them."""
    text = resources.files("lab.v1").joinpath("comments.json").read_text(encoding="utf-8")
    known: dict[str, str] = json.loads(text)
    return known


def _schema(kind: Descriptor, without: Collection[str]) -> dict[str, Any]:
    fields = [field for field in kind.fields if field.name not in without]
    return {
        "type": "object",
        "description": comments().get(kind.full_name, ""),
        "properties": {field.json_name: _field(field) for field in fields},
        "additionalProperties": False,
    }


def _field(field: FieldDescriptor) -> dict[str, Any]:
    schema = _map(field) or _one(field)
    if field.is_repeated and "additionalProperties" not in schema:
        schema = {"type": "array", "items": schema}
    description = comments().get(field.full_name, "")
    if "$ref" in schema:
        return {"allOf": [schema], "description": description}
    return {**schema, "description": description}


def _map(field: FieldDescriptor) -> dict[str, Any] | None:
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return {"type": "object", "additionalProperties": _one(entry.fields_by_name["value"])}


def _one(field: FieldDescriptor) -> dict[str, Any]:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return dict(_TIMESTAMP)
        return {"$ref": _PREFIX + field.message_type.name}
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"type": "string", "format": "byte"}
    return dict(_NUMBERS.get(field.cpp_type, {"type": "string"}))


def _referred(kind: Descriptor) -> Iterator[Descriptor]:
    for field in kind.fields:
        each = field.message_type
        if each is None:
            continue
        if each.GetOptions().map_entry:
            yield from _referred(each)
        elif not each.full_name.startswith("google.protobuf."):
            yield each
