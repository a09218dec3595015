"""Channels to the lab's services: typed errors, a deadline on every call, quick reconnects."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any

import grpc

from lab.names import new_id
from lab.rpc.errors import CALLER, REQUEST_ID, from_rpc_error

UNARY_DEADLINE_SECS = 5.0
MAX_MESSAGE_BYTES = 8 << 20

# Only what changes nothing is retried, and only while the service is away.
_IDEMPOTENT = {
    "lab.v1.TrainerService": ("GetRun", "ListRuns", "QuerySeries", "ListFacts", "ListPresets"),
    "lab.v1.CheckpointService": ("GetCheckpoint", "ListCheckpoints"),
    "lab.v1.InferenceService": ("ListModels", "Tokenize"),
}
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    {"service": service, "method": method}
                    for service, methods in _IDEMPOTENT.items()
                    for method in methods
                ],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)


def channel(address: str, *, peer: str, caller: str) -> grpc.aio.Channel:
    """A lazy channel to `address`; errors of its calls are LabErrors that name the `peer`.

    The `caller` says who asks: a service's name, or "client". The peer counts its calls by it.
    """
    return grpc.aio.insecure_channel(
        address,
        interceptors=[kind(peer, caller) for kind in (_Unary, _StreamIn, _StreamOut)],
        options=[
            ("grpc.service_config", _SERVICE_CONFIG),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1_000),
        ],
    )


class _Prepared:
    def __init__(self, peer: str, caller: str) -> None:
        self._peer = peer
        self._caller = caller

    def _prepared(
        self, details: grpc.aio.ClientCallDetails, *, deadline_secs: float | None
    ) -> grpc.aio.ClientCallDetails:
        """The same call with a request id, and a deadline when there was none."""
        metadata = grpc.aio.Metadata(*(details.metadata or ()), (CALLER, self._caller))
        if metadata.get(REQUEST_ID) is None:
            metadata.add(REQUEST_ID, new_id("r"))
        return grpc.aio.ClientCallDetails(
            method=details.method,
            timeout=details.timeout if details.timeout is not None else deadline_secs,
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )


class _Unary(_Prepared, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        details = self._prepared(client_call_details, deadline_secs=UNARY_DEADLINE_SECS)
        try:
            return await (await continuation(details, request))
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, peer=self._peer) from None


class _StreamIn(_Prepared, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: AsyncIterable[Any] | Iterable[Any],
    ) -> Any:
        details = self._prepared(client_call_details, deadline_secs=None)
        call = await continuation(details, request_iterator)
        try:
            await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, peer=self._peer) from None
        return call  # not its response: grpc wraps a bare response for unary calls only


class _StreamOut(_Prepared, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        call = await continuation(self._prepared(client_call_details, deadline_secs=None), request)

        async def responses() -> AsyncIterator[Any]:
            try:
                async for response in call:
                    yield response
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error, peer=self._peer) from None
            finally:
                call.cancel()  # a reader that stops early stops the work too

        return responses()
