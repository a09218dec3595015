"""Asks every process of a cluster how it is."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from lab.client import Addresses
from lab.rpc.health import is_ready
from lab.v1.event_pb2 import ServiceBeat
from lab.v1.rest_pb2 import Health, SystemStatus

M = TypeVar("M", bound=Message)

ANSWER_SECS = 2.0
_STARTING = "starting"


@dataclass(frozen=True)
class Condition:
    """How one process is: `problem` is empty when it is ready, else says what it waits for."""

    name: str
    addresses: tuple[str, ...]
    problem: str = ""
    version: str = ""

    @property
    def ready(self) -> bool:
        return not self.problem


async def probe(addresses: Addresses) -> list[Condition]:
    """Every process, in the order in which they start."""
    places = addresses.by_service()
    beats, conditions = await asyncio.gather(
        asyncio.to_thread(_beats, addresses.gateways[0]),
        asyncio.gather(*(_one(name, where) for name, where in places.items())),
    )
    return [_told(condition, beats) for condition in conditions]


def _told(condition: Condition, beats: Mapping[str, ServiceBeat]) -> Condition:
    """With what the service says of itself, as far as the gateway has heard of it."""
    beat = beats.get(condition.name)
    if beat is None:
        return condition
    problem = condition.problem
    if problem == _STARTING and beat.waiting_for:
        problem = "waits for " + ", ".join(beat.waiting_for)
    return Condition(condition.name, condition.addresses, problem, beat.version)


async def _one(name: str, where: tuple[str, ...]) -> Condition:
    for address in where:
        if not await _listens(address, greets=name == "nats"):
            return Condition(name, where, f"nothing answers at {address}")
    if name == "nats":
        return Condition(name, where)
    if name == "gateway":
        problems = await asyncio.gather(*(asyncio.to_thread(_health, place) for place in where))
        return Condition(name, where, next(filter(None, problems), ""))
    ready = await is_ready(where[0], timeout_secs=ANSWER_SECS)
    return Condition(name, where, "" if ready else _STARTING)


async def _listens(address: str, *, greets: bool) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(ANSWER_SECS):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            try:
                return not greets or (await reader.readline()).startswith(b"INFO")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _health(address: str) -> str:
    health = _ask(address, "/api/health", Health())
    if health is None:
        return _STARTING
    if health.status == "ok":
        return ""
    return "waits for " + ", ".join(health.waiting_for) if health.waiting_for else _STARTING


def _beats(address: str) -> dict[str, ServiceBeat]:
    status = _ask(address, "/api/system", SystemStatus())
    return {beat.service: beat for beat in status.services} if status else {}


def _ask(address: str, path: str, answer: M) -> M | None:
    """Straight to the address: whatever proxy the user has is not for this machine."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECS)
    try:
        connection.request("GET", path)
        body = connection.getresponse().read()
        return json_format.Parse(body, answer, ignore_unknown_fields=True)
    except (OSError, http.client.HTTPException, json_format.ParseError):
        return None
    finally:
        connection.close()
