"""LabError to problem+json (RFC 9457); the body is lab.v1.Problem. Never echoes what was sent."""

import re
from collections.abc import Mapping

import orjson
from google.protobuf import json_format
from starlette.responses import Response

from lab.errors import TITLES, Code, InvalidArgument, LabError, Violation, reason_name
from lab.v1 import error_pb2
from lab.v1.error_pb2 import ErrorReason, FieldViolation, Problem

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECS = 1
# What may be repeated in `instance`: a plain path. Anything else is left out, not escaped.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/:._-]{0,200}")
# What HTTP itself can refuse before a route is reached, by status.
_HTTP: Mapping[int, tuple[ErrorReason.ValueType, str]] = {
    400: (error_pb2.ERROR_REASON_MALFORMED, "the request could not be read"),
    404: (
        error_pb2.ERROR_REASON_NOT_FOUND,
        "nothing is at this address; ids are 1 to 63 characters a-z, 0-9 and -, begin with a "
        "letter and do not end with -; /docs lists every address",
    ),
    405: (
        error_pb2.ERROR_REASON_MALFORMED,
        "this address does not take that method; /docs lists the methods of every address",
    ),
    413: (error_pb2.ERROR_REASON_OVER_LIMIT, "the body is larger than the limit of 1 MiB"),
    415: (
        error_pb2.ERROR_REASON_MALFORMED,
        "the body must be JSON: send the header Content-Type: application/json",
    ),
}


def problem_of(error: LabError, *, instance: str = "", request_id: str = "") -> Problem:
    """The error as people see it."""
    metadata = dict(error.metadata)
    return _problem(
        status=error.http_status,
        reason=error.reason,
        detail=error.message,
        instance=instance,
        # The service that refused knew the request under the same id, if it was asked in its name.
        request_id=metadata.pop("request_id", "") or request_id,
        metadata=metadata,
        violations=error.violations,
    )


def problem_of_status(
    status: int, *, detail: str = "", instance: str = "", request_id: str = ""
) -> Problem:
    """A refusal by HTTP itself: an unknown address, a method, a content type, a size."""
    reason, text = _HTTP.get(status, _HTTP[400])
    return _problem(
        status=status,
        reason=reason,
        detail=detail or text,
        instance=instance,
        request_id=request_id,
    )


def internal_problem(*, instance: str = "", request_id: str = "") -> Problem:
    """Our mistake; the log has it under the request id."""
    error = LabError("internal error; the gateway's log has the details under the request id")
    return problem_of(error, instance=instance, request_id=request_id)


def respond(problem: Problem, *, headers: Mapping[str, str] | None = None) -> Response:
    again: dict[str, str] = {}
    if problem.status in (429, 503):
        again["Retry-After"] = problem.metadata.get("retry_after_secs", str(RETRY_AFTER_SECS))
    body = json_format.MessageToDict(problem, always_print_fields_with_no_presence=True)
    return Response(
        orjson.dumps(body),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **again, **(headers or {})},
    )


def malformed(message: str) -> LabError:
    return InvalidArgument(message, reason=error_pb2.ERROR_REASON_MALFORMED)


def foreign(message: str, *, code: Code = Code.PERMISSION_DENIED) -> LabError:
    """The request came from a Host or Origin that may not ask."""
    return LabError(message, code=code, reason=error_pb2.ERROR_REASON_FORBIDDEN_ORIGIN)


def _problem(
    *,
    status: int,
    reason: ErrorReason.ValueType,
    detail: str,
    instance: str,
    request_id: str,
    metadata: Mapping[str, str] | None = None,
    violations: list[Violation] | None = None,
) -> Problem:
    name = reason_name(reason)
    return Problem(
        type=f"/problems/{name.lower().replace('_', '-')}",
        title=TITLES[reason],
        status=status,
        detail=detail,
        instance=instance if _PLAIN_PATH.fullmatch(instance) else "",
        reason=name,
        metadata=metadata or {},
        violations=[
            FieldViolation(field=violation.field, description=violation.description)
            for violation in violations or ()
        ],
        request_id=request_id,
    )
