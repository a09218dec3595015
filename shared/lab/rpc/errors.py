"""LabError to google.rpc.Status and back.

Servers send ErrorInfo (reason, domain, metadata) and BadRequest (field violations); clients rebuild
the same LabError from them. Anything that is not a LabError is our mistake: it is logged with its
traceback and leaves as "internal error" with a request id. (Left alone, grpc.aio would send the
exception's class and text to the caller.)
"""

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from lab.errors import Code, LabError, Violation, reason_name
from lab.v1.error_pb2 import ErrorReason

DOMAIN = "lab"
REQUEST_ID = "x-request-id"  # metadata key; the gateway uses it as a header too
CALLER = "x-lab-caller"  # metadata key


def to_status(error: LabError, *, request_id: str) -> status_pb2.Status:
    info = error_details_pb2.ErrorInfo(
        reason=reason_name(error.reason), domain=DOMAIN, metadata=error.metadata
    )
    info.metadata["request_id"] = request_id
    status = status_pb2.Status(code=int(error.code), message=error.message)
    _pack(status, info)
    if error.violations:
        _pack(
            status,
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=violation.field, description=violation.description
                    )
                    for violation in error.violations
                ]
            ),
        )
    return status


def _pack(
    status: status_pb2.Status,
    detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest,
) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def from_rpc_error(error: grpc.aio.AioRpcError, *, peer: str) -> LabError:
    """The LabError the server raised, or one that says what the transport did."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an AioRpcError serves as a call
    if status is not None:
        rebuilt = _from_status(status)
        if rebuilt is not None:
            return rebuilt
    code = Code(error.code().value[0])
    if code is Code.UNAVAILABLE:
        return LabError(
            f"{peer} does not answer; it may be starting, see `lab status`",
            code=code,
            reason=ErrorReason.ERROR_REASON_UNAVAILABLE,
            metadata={"service": peer},
        )
    if code is Code.DEADLINE_EXCEEDED:
        return LabError(
            f"{peer} did not answer in time",
            code=code,
            reason=ErrorReason.ERROR_REASON_DEADLINE,
            metadata={"service": peer},
        )
    return LabError(error.details() or f"{peer} answered {code.name}", code=code)


def _from_status(status: status_pb2.Status) -> LabError | None:
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info) or detail.Unpack(bad_request)
    if info.domain != DOMAIN:
        return None
    return LabError(
        status.message,
        code=Code(status.code),
        reason=ErrorReason.Value(f"ERROR_REASON_{info.reason}"),
        metadata=dict(info.metadata),
        violations=[
            Violation(violation.field, violation.description)
            for violation in bad_request.field_violations
        ],
    )
