"""What happens around every RPC a service answers: request id, errors, log line, metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status
from prometheus_client import Counter, Histogram

from lab.errors import Code, LabError
from lab.names import new_id
from lab.rpc.errors import CALLER, REQUEST_ID, to_status
from lab.v1.error_pb2 import ErrorReason

RPCS = Counter("lab_rpc_total", "RPCs answered", ["method", "code", "caller"])
RPC_SECS = Histogram("lab_rpc_seconds", "Time to answer an RPC", ["method"])

# Who may be counted by name; a label must not grow with what strangers send.
CALLERS = frozenset({"client", "gateway", "inference", "trainer"})
HEAR_OUT_SECS = 30.0  # for a caller that never ends; others stop by themselves

log = structlog.get_logger()

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def _internal() -> LabError:
    return LabError("internal error; the service's log has the details under the request id")


class Answering(grpc.aio.ServerInterceptor):
    """Wraps each handler: parses the request itself, so that undecodable bytes are the caller's
    mistake (gRPC would call them ours), and turns exceptions into statuses."""

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler: Any = await continuation(handler_call_details)
        method: str = handler_call_details.method
        if handler is None or not method.startswith("/lab."):
            return handler  # type: ignore[no-any-return]
        parse = handler.request_deserializer

        async def unary(request: bytes, context: Context) -> Any:
            behaviour = handler.unary_unary
            return await _answer(
                method, context, lambda: behaviour(_parsed(parse, request), context)
            )

        async def stream_in(requests: AsyncIterator[bytes], context: Context) -> Any:
            async def parsed() -> AsyncIterator[Any]:
                async for request in requests:
                    yield _parsed(parse, request)

            async def behaviour() -> Any:
                try:
                    return await handler.stream_unary(parsed(), context)
                except Exception:
                    await _hear_out(requests)
                    raise

            return await _answer(method, context, behaviour)

        async def stream_out(request: bytes, context: Context) -> None:
            async def write_all() -> None:
                # Closed here and not when it happens to be collected: its cleanup ends the work.
                async with aclosing(
                    handler.unary_stream(_parsed(parse, request), context)
                ) as answers:
                    async for response in answers:
                        await context.write(response)

            await _answer(method, context, write_all)

        serialise = handler.response_serializer
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(unary, None, serialise)
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(stream_in, None, serialise)
        return grpc.unary_stream_rpc_method_handler(stream_out, None, serialise)


def _parsed(parse: Callable[[bytes], Any], request: bytes) -> Any:
    try:
        return parse(request)
    except DecodeError as error:
        raise LabError(
            "the request is not the protobuf message this method takes",
            code=Code.INVALID_ARGUMENT,
            reason=ErrorReason.ERROR_REASON_MALFORMED,
        ) from error


async def _hear_out(requests: AsyncIterator[bytes]) -> None:
    """Reads what the caller still sends. An answer in the middle of it makes grpc.aio's pending
    write fail, and the caller then gets "Internal error from Core" in place of our status."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEAR_OUT_SECS):
            async for _ in requests:
                pass


async def _answer(method: str, context: Context, behaviour: Callable[[], Awaitable[Any]]) -> Any:
    metadata = dict(context.invocation_metadata() or ())
    request_id = str(metadata.get(REQUEST_ID) or new_id("r"))
    began = time.monotonic()
    code = "OK"
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            return await behaviour()
        except LabError as error:
            code = error.code.name
            _log_refusal(method, error)
            await context.abort_with_status(_status(error, request_id))
        except grpc.aio.AbortError:
            raise
        except Exception:
            code = Code.INTERNAL.name
            log.exception("rpc failed", method=method)
            await context.abort_with_status(_status(_internal(), request_id))
        finally:
            RPCS.labels(method, code, _known(str(metadata.get(CALLER)))).inc()
            RPC_SECS.labels(method).observe(time.monotonic() - began)


def _known(caller: str) -> str:
    return caller if caller in CALLERS else "other"


def _status(error: LabError, request_id: str) -> Any:
    return rpc_status.to_status(to_status(error, request_id=request_id))


def _log_refusal(method: str, error: LabError) -> None:
    """The caller's mistake is information, a missing dependency a warning, ours an error."""
    if error.http_status < 500:
        log.info("rpc refused", method=method, code=error.code.name, detail=error.message)
    elif error.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
        log.warning("rpc refused", method=method, code=error.code.name, detail=error.message)
    else:
        log.error("rpc refused", method=method, code=error.code.name, detail=error.message)
