"""What the disk says, in words for people: full, or failing."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lab.errors import Code, LabError
from lab.v1.error_pb2 import ErrorReason

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def named() -> Iterator[None]:
    """Around writes of which nothing stays when they fail."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise no_room(
                "the disk filled up while the checkpoint was written; nothing was stored. "
                "Delete checkpoints or free space, then save again",
                limit_bytes=0,
                requested_bytes=0,
            ) from error
        if error.errno == errno.EIO:
            # A sync that failed once is never asked again: the kernel may have dropped the pages.
            raise LabError(
                "the disk reported an input/output error while the checkpoint was written; "
                "nothing was stored. Look at the disk, then save again",
                code=Code.UNAVAILABLE,
                reason=ErrorReason.ERROR_REASON_UNAVAILABLE,
            ) from error
        raise


def no_room(message: str, *, limit_bytes: int, requested_bytes: int) -> LabError:
    return LabError(
        message,
        code=Code.RESOURCE_EXHAUSTED,
        reason=ErrorReason.ERROR_REASON_OVER_LIMIT,
        metadata={"limit": str(limit_bytes), "requested": str(requested_bytes)},
    )
