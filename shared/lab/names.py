"""Builds and takes apart resource names, such as `runs/{run}/checkpoints/{checkpoint}`.

Ids are made so that they are valid file names, NATS tokens and URL segments without any escaping.
"""

import re
import secrets
from typing import Final

from lab.errors import InvalidArgument

ID_PATTERN: Final = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ID = re.compile(ID_PATTERN)
# Where weights from elsewhere stand, as in runs/imports/checkpoints/gpt2. No run is called so.
IMPORTS: Final = "imports"
_WEIGHTS: Final = "weights-"  # begins the id of a checkpoint that holds no more than that
# No vowels and no look-alikes: random ids that spell nothing and can be read aloud.
_ID_LETTERS: Final = "bcdfghjkmnpqrstvwxz23456789"


def check_id(field: str, value: str) -> str:
    """`value` if it is an id; raises InvalidArgument naming `field` if it is not."""
    if not _ID.fullmatch(value):
        raise InvalidArgument.field(
            field,
            "must be 1 to 63 characters a-z, 0-9 and -, begin with a letter and not end with -",
        )
    return value


def new_id(prefix: str) -> str:
    """An id nobody has yet, as in nano-7f3k2w."""
    return f"{prefix}-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(6))


def run_name(run_id: str) -> str:
    return f"runs/{check_id('run', run_id)}"


def run_id(name: str) -> str:
    """The id in `runs/{run}`; raises InvalidArgument if the name is of another form."""
    collection, _, identifier = name.partition("/")
    if collection != "runs":
        raise InvalidArgument.field("name", 'must have the form "runs/{run}"')
    return check_id("name", identifier)


def checkpoint_name(run_id: str, step: int) -> str:
    return f"{run_name(run_id)}/checkpoints/step-{step:08d}"


def weights_name(run_id: str, step: int) -> str:
    """Of a checkpoint that holds weights only; a full one of the same step may stand beside it."""
    return f"{run_name(run_id)}/checkpoints/{_WEIGHTS}{step:08d}"


def holds_weights_only(name: str) -> bool:
    """Whether the name says so of a saved checkpoint."""
    run, checkpoint = checkpoint_ids(name)
    return checkpoint is not None and (run == IMPORTS or checkpoint.startswith(_WEIGHTS))


def peek_name(run_id: str) -> str:
    return f"{run_name(run_id)}/peek"


def checkpoint_ids(name: str) -> tuple[str, str | None]:
    """(run, checkpoint) of a checkpoint's name, (run, None) of a peek's.

    Raises InvalidArgument for a name of any other form.
    """
    match name.split("/"):
        case ["runs", run, "checkpoints", checkpoint]:
            return check_id("name", run), check_id("name", checkpoint)
        case ["runs", run, "peek"]:
            return check_id("name", run), None
    raise InvalidArgument.field(
        "name", 'must have the form "runs/{run}/checkpoints/{checkpoint}" or "runs/{run}/peek"'
    )


def model_name(model_id: str) -> str:
    return f"models/{check_id('model', model_id)}"


def model_id(name: str) -> str:
    collection, _, identifier = name.partition("/")
    if collection != "models":
        raise InvalidArgument.field("name", 'must have the form "models/{model}"')
    return check_id("name", identifier)


def corpus_id(name: str) -> str:
    collection, _, identifier = name.partition("/")
    if collection != "corpora":
        raise InvalidArgument.field("name", 'must have the form "corpora/{corpus}"')
    return check_id("name", identifier)
