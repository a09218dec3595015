"""Asks a service whether it is ready.

`python -m lab.rpc.health HOST:PORT` is the containers' probe.
"""

import asyncio
import sys
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


async def is_ready(address: str, *, timeout_secs: float = 2.0) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its stubs know no asyncio
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_secs)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(is_ready(sys.argv[1])) else 1)
