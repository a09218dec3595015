"""RunSpec to YAML text and back, and single changes written as `model.layers=6`."""

import io
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from lab.errors import InvalidArgument
from lab.spec.documents import read_document
from lab.spec.fields import assign, enum_word, fill, unknown
from lab.v1.run_spec_pb2 import RunSpec


@dataclass(frozen=True)
class RunYaml:
    """What a file asks for: a spec, whole or partial, and the preset it lies over, if named."""

    preset: str
    spec: RunSpec


def parse_run_yaml(text: str) -> RunYaml:
    """As `parse_spec_yaml`; a line `preset: nano` may stand beside the sections."""
    document = read_document(text, what="the spec")
    preset = document.pop("preset", "")
    if not isinstance(preset, str):
        raise InvalidArgument.field("preset", "must be a text, the name of a preset")
    return RunYaml(preset=preset, spec=spec_of(document))


def run_to_yaml(preset: str, spec: RunSpec) -> str:
    """A text that makes the same run again: its preset, and every field of its resolved spec."""
    head = f"preset: {preset}\n" if preset else ""
    return head + spec_to_yaml(spec)


def parse_spec_yaml(text: str) -> RunSpec:
    """A whole or partial spec; raises InvalidArgument naming every field that cannot be read."""
    return spec_of(read_document(text, what="the spec"))


def spec_of(document: dict[str, Any]) -> RunSpec:
    spec = RunSpec()
    if violations := fill(spec, document):
        raise InvalidArgument.of(*violations)
    return spec


def spec_to_yaml(spec: RunSpec) -> str:
    """Every field that is set, in the order of the proto; `parse_spec_yaml` reads it back."""
    yaml = YAML(pure=True)
    yaml.default_flow_style = False
    yaml.width = 10_000  # no line folding: prompts stay on their line
    stream = io.StringIO()
    yaml.dump(_plain(spec), stream)
    return stream.getvalue()


def set_dotted(spec: RunSpec, change: str) -> None:
    """Applies one `section.field=value`; the value is YAML: `hooks.sample_prompts=[Once, Then]`."""
    path, equals, text = change.partition("=")
    section, dot, name = path.strip().partition(".")
    if not equals or not dot or "." in name:
        raise InvalidArgument.field(
            path.strip() or "set", 'must look like section.field=value, as in "model.layers=6"'
        )
    if section not in RunSpec.DESCRIPTOR.fields_by_name:
        raise InvalidArgument.field(
            section, unknown(section, list(RunSpec.DESCRIPTOR.fields_by_name))
        )
    value = read_document(f"value: {text}", what=path)["value"]
    part: Message = getattr(spec, section)
    if violations := assign(part, name, value, path=section):
        raise InvalidArgument.of(*violations)


def _plain(message: Message) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            values[field.name] = _plain(value)
        elif field.is_repeated:
            values[field.name] = [_quoted(text) for text in value]
        elif field.enum_type is not None:
            values[field.name] = enum_word(field.enum_type, value)
        elif isinstance(value, str):
            values[field.name] = _quoted(value)
        else:
            values[field.name] = value
    return values


def _quoted(text: str) -> str:
    """Odd white space survives between double quotes only, as an escape."""
    return text if text.isprintable() else DoubleQuotedScalarString(text)
