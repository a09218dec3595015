"""The one error type of the lab, and the one table from error code to HTTP status.

Raise a LabError anywhere in domain code and let it rise: `lab.rpc.errors` turns it into a gRPC
status and back, the gateway turns it into application/problem+json, the command line prints its
message. Nobody else sets codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from lab.v1 import error_pb2
from lab.v1.error_pb2 import ErrorReason


class Code(IntEnum):
    """gRPC's status codes, as numbers, so that code without gRPC can raise them too."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS: Mapping[Code, int] = {
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    # Google's table says 400. Here it always means a conflict with the resource's present state.
    Code.FAILED_PRECONDITION: 409,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

TITLES: Mapping[ErrorReason.ValueType, str] = {
    error_pb2.ERROR_REASON_UNSPECIFIED: "Something went wrong",
    error_pb2.ERROR_REASON_INVALID_FIELD: "A field cannot be accepted",
    error_pb2.ERROR_REASON_MALFORMED: "The request could not be read",
    error_pb2.ERROR_REASON_NOT_FOUND: "Nothing has that name",
    error_pb2.ERROR_REASON_ALREADY_EXISTS: "That name is taken",
    error_pb2.ERROR_REASON_RUN_STATE: "The run is not in a state that allows this",
    error_pb2.ERROR_REASON_OVER_LIMIT: "That is more than the limit",
    error_pb2.ERROR_REASON_UNAVAILABLE: "Something this needs does not answer",
    error_pb2.ERROR_REASON_DAMAGED: "Stored bytes are damaged",
    error_pb2.ERROR_REASON_FORBIDDEN_ORIGIN: "The request came from a place that may not ask",
    error_pb2.ERROR_REASON_ASSET_UNREACHABLE: "A file could not be fetched",
    error_pb2.ERROR_REASON_DEADLINE: "It took too long",
    error_pb2.ERROR_REASON_INTERNAL: "An error of the lab itself",
}


def reason_name(reason: ErrorReason.ValueType) -> str:
    """The reason without its enum prefix, as it travels in ErrorInfo and problem+json."""
    return error_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


@dataclass(frozen=True)
class Violation:
    """One field (a snake_case path) and what is wrong with it, its limit and the remedy."""

    field: str
    description: str


class LabError(Exception):
    """`message` says what was wrong, the limit, what to do; `metadata` has its changing parts."""

    code: Code = Code.INTERNAL
    reason: ErrorReason.ValueType = error_pb2.ERROR_REASON_INTERNAL

    def __init__(
        self,
        message: str,
        *,
        code: Code | None = None,
        reason: ErrorReason.ValueType | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.code if code is None else code
        self.reason = self.reason if reason is None else reason
        self.metadata = dict(metadata or {})
        self.violations = list(violations)

    @property
    def http_status(self) -> int:
        return HTTP_STATUS[self.code]


class InvalidArgument(LabError):
    """Something in the request can never be accepted."""

    code = Code.INVALID_ARGUMENT
    reason = error_pb2.ERROR_REASON_INVALID_FIELD

    @classmethod
    def of(cls, *violations: Violation) -> InvalidArgument:
        """One error that names every field at fault."""
        text = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        return cls(text, violations=violations)

    @classmethod
    def field(cls, field: str, description: str) -> InvalidArgument:
        return cls.of(Violation(field, description))


class OverLimit(InvalidArgument):
    """More was asked for than the limit; the metadata holds `limit` and `requested`."""

    reason = error_pb2.ERROR_REASON_OVER_LIMIT


class NotFound(LabError):
    """Nothing has that name."""

    code = Code.NOT_FOUND
    reason = error_pb2.ERROR_REASON_NOT_FOUND


class AlreadyExists(LabError):
    """The name is taken."""

    code = Code.ALREADY_EXISTS
    reason = error_pb2.ERROR_REASON_ALREADY_EXISTS


class PreconditionFailed(LabError):
    """The resource is not in a state that allows this."""

    code = Code.FAILED_PRECONDITION
    reason = error_pb2.ERROR_REASON_RUN_STATE


class Unavailable(LabError):
    """Something this needs does not answer now; trying again later may work."""

    code = Code.UNAVAILABLE
    reason = error_pb2.ERROR_REASON_UNAVAILABLE


class Damaged(LabError):
    """Stored bytes do not match their digest."""

    code = Code.DATA_LOSS
    reason = error_pb2.ERROR_REASON_DAMAGED


class AssetUnreachable(LabError):
    """No source of an asset could be used; the message names each and the way to add it by hand."""

    code = Code.FAILED_PRECONDITION
    reason = error_pb2.ERROR_REASON_ASSET_UNREACHABLE
