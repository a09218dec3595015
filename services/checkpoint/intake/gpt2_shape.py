"""Whether weights from elsewhere are the GPT-2 that their config.json describes, and finite.

Compares names, shapes and sizes in the safetensors header with what the config calls for. No
library parses anything foreign.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.errors import InvalidArgument
from lab.manifest import CONFIG, WEIGHTS
from services.checkpoint.intake.finite import SIZES_BYTES, all_finite
from services.checkpoint.safetensors_header import Header

MAX_CONFIG_BYTES: Final = 1 << 20
SHOWN: Final = 5
VOCABULARY: Final = 50_257  # of the lab's one tokenizer, GPT-2's
# Constants, not parameters, which old GPT-2 files hold: the causal mask and its fill value.
_IGNORED: Final = (".attn.bias", ".attn.masked_bias")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Shapes:
    """The sizes a config.json gives."""

    layers: int
    width: int
    inner: int
    context: int
    vocabulary: int
    tied: bool


def check(folder: Path, header: Header) -> None:
    """`header` is that of the weights; raises InvalidArgument with the first differences."""
    wanted = dict(_expected(_shapes(folder / CONFIG)))
    given = {_named(name): each for name, each in header.entries.items() if _is_parameter(name)}
    if "lm_head.weight" not in wanted:
        given.pop("lm_head.weight", None)  # some files repeat the embedding under this name
    found = list(_differences(wanted, given))
    if found:
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise InvalidArgument.field(
            "files", f"{WEIGHTS} does not fit its {CONFIG}: {'; '.join(found[:SHOWN])}{more}"
        )
    for name, entry in given.items():
        begin, end = (header.data_begin + offset for offset in entry["data_offsets"])
        if not all_finite(folder / WEIGHTS, dtype=entry["dtype"], begin=begin, end=end):
            raise InvalidArgument.field("files", f"{name} holds NaN or infinity")


def _is_parameter(name: str) -> bool:
    return name != "__metadata__" and not name.endswith(_IGNORED)


def _named(name: str) -> str:
    return name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}"


def _differences(wanted: Mapping[str, Shape], given: Mapping[str, Any]) -> Iterator[str]:
    for name, shape in wanted.items():
        entry = given.get(name)
        if entry is None:
            yield f"{name} is missing"
        elif entry.get("shape") != list(shape):
            yield f"{name} has shape {_said(entry.get('shape'))} instead of {list(shape)}"
        elif (size := _size_of(entry)) is None:
            yield f"{name} holds {_said(entry.get('dtype'))}; {', '.join(SIZES_BYTES)} are taken"
        elif (begin_end := entry["data_offsets"])[1] - begin_end[0] != size * math.prod(shape):
            yield f"{name} has {begin_end[1] - begin_end[0]} bytes, too many or too few"
    for name in given:
        if name not in wanted:
            yield f"{_said(name)} has no place in this model"


def _size_of(entry: Mapping[str, Any]) -> int | None:
    """Bytes of one number; None for a kind of number that is not taken."""
    dtype = entry.get("dtype")
    return SIZES_BYTES.get(dtype) if isinstance(dtype, str) else None


def _said(value: object) -> str:
    """What a foreign file says, cut and cleaned so that it can be said back."""
    return "".join(each if each.isprintable() else "?" for each in str(value))[:80]


def _expected(shapes: Shapes) -> Iterator[tuple[str, Shape]]:
    width, inner = shapes.width, shapes.inner
    yield "transformer.wte.weight", (shapes.vocabulary, width)
    yield "transformer.wpe.weight", (shapes.context, width)
    for layer in range(shapes.layers):
        block = f"transformer.h.{layer}"
        for norm in ("ln_1", "ln_2"):
            yield f"{block}.{norm}.weight", (width,)
            yield f"{block}.{norm}.bias", (width,)
        # Hugging Face keeps these four as (in, out).
        for name, shape in (
            ("attn.c_attn", (width, 3 * width)),
            ("attn.c_proj", (width, width)),
            ("mlp.c_fc", (width, inner)),
            ("mlp.c_proj", (inner, width)),
        ):
            yield f"{block}.{name}.weight", shape
            yield f"{block}.{name}.bias", shape[1:]
    yield "transformer.ln_f.weight", (width,)
    yield "transformer.ln_f.bias", (width,)
    if not shapes.tied:
        yield "lm_head.weight", (shapes.vocabulary, width)


def _shapes(path: Path) -> Shapes:
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise _refusal(f"is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        fields = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _refusal("is not JSON") from error
    if not isinstance(fields, dict):
        raise _refusal("is not a JSON object")
    if fields.get("model_type") != "gpt2":
        raise _refusal(f"says model_type {_said(fields.get('model_type'))}; only gpt2 is taken")
    if (activation := fields.get("activation_function", "gelu_new")) != "gelu_new":
        raise _refusal(f"says activation_function {_said(activation)}; only gelu_new is taken")
    width = _size(fields, "n_embd", 65_536)
    inner = _size(fields, "n_inner", 1 << 20) if fields.get("n_inner") else 4 * width
    heads = _size(fields, "n_head", 1024)
    if width % heads:
        raise _refusal(f"says {heads} heads, which do not divide n_embd {width}")
    if inner % width:
        raise _refusal(f"says n_inner {inner}, which is no multiple of n_embd {width}")
    if (vocabulary := _size(fields, "vocab_size", 1 << 24)) != VOCABULARY:
        raise _refusal(
            f"says vocab_size {vocabulary}, but the lab's tokenizer has {VOCABULARY} tokens"
        )
    return Shapes(
        layers=_size(fields, "n_layer", 1024),
        width=width,
        inner=inner,
        context=_size(fields, "n_positions", 1 << 20),
        vocabulary=vocabulary,
        tied=fields.get("tie_word_embeddings", True) is True,
    )


def _size(fields: Mapping[str, Any], name: str, most: int) -> int:
    value = fields.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise _refusal(f"must say {name} as a whole number from 1 to {most}")
    return value


def _refusal(why: str) -> InvalidArgument:
    return InvalidArgument.field("files", f"{CONFIG} {why}")
