"""Ids and numbers in addresses. Ids match the id pattern, so `x:pause` never reads as an id."""

from typing import Annotated

from fastapi import Depends, Header, Path, Query
from starlette.convertors import Convertor, register_url_convertor

from lab.limits import MAX_PAGE
from lab.names import ID_PATTERN, check_id, run_name

MAX_UINT32 = 2**32 - 1


class IdConvertor(Convertor[str]):
    """Lets a route say `{run:id}`."""

    regex = ID_PATTERN

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", IdConvertor())

_pattern = f"^{ID_PATTERN}$"
RunId = Annotated[str, Path(pattern=_pattern, description="id of a run")]
CheckpointId = Annotated[str, Path(pattern=_pattern, description="id of a checkpoint")]
CorpusId = Annotated[str, Path(pattern=_pattern, description="id of a corpus")]
PresetId = Annotated[str, Path(pattern=_pattern, description="name of a preset")]
ModelId = Annotated[str, Path(pattern=_pattern, description="id of a loaded model")]
GenerationId = Annotated[str, Path(pattern=_pattern, description="id of a generation")]


async def run_in_path(run: RunId) -> str:
    """The run's name."""
    return run_name(run)


async def checkpoint_in_path(run: RunId, checkpoint: CheckpointId) -> str:
    """The checkpoint's name."""
    return f"{run_name(run)}/checkpoints/{check_id('checkpoint', checkpoint)}"


CheckpointName = Annotated[str, Depends(checkpoint_in_path)]

PageSize = Annotated[
    int, Query(alias="pageSize", ge=0, le=MAX_PAGE, description="at most this many; 0 means 200")
]
PageToken = Annotated[
    str, Query(alias="pageToken", max_length=500, description="nextPageToken of the page before")
]
StepQuery = Annotated[int, Query(ge=0, le=MAX_UINT32)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="the same key twice answers the same run; the body's requestId by another name",
    ),
]
