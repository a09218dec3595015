"""GET /api/live: takes the handshake, runs a session, ends them all when the gateway stops."""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import Counter, Gauge
from starlette.websockets import WebSocket

from lab.errors import Code, LabError
from lab.v1 import error_pb2
from lab.v1.live_pb2 import CloseCode
from services.gateway.api import problems
from services.gateway.live.frames import BINARY, CODECS, JSON
from services.gateway.live.hub import Hub
from services.gateway.live.session import Session, Times

MAX_SESSIONS = 2_000
CLOSE_SECS = 3.0

SESSIONS = Gauge("lab_gateway_live_sessions", "Open live sockets")
CLOSES = Counter("lab_gateway_live_closes_total", "Closed live sockets", ["code"])

log = structlog.get_logger()


class Live:
    """All sessions."""

    def __init__(self, hub: Hub, *, times: Times | None = None) -> None:
        self.hub, self._times = hub, times or Times()
        self._sessions: dict[Session, asyncio.Task[object] | None] = {}

    async def serve(self, websocket: WebSocket) -> None:
        if len(self._sessions) >= MAX_SESSIONS:
            await websocket.send_denial_response(problems.respond(problems.problem_of(_too_many())))
            return
        offered = websocket.scope.get("subprotocols", [])
        subprotocol = next((each for each in offered if each in CODECS), None)
        await websocket.accept(subprotocol)
        if subprotocol is None:
            await websocket.close(
                CloseCode.CLOSE_CODE_PROTOCOL_MISMATCH,
                f"ask for the subprotocol {BINARY} or {JSON}",
            )
            return
        await self._run(Session(websocket, CODECS[subprotocol], self.hub, self._times))

    async def _run(self, session: Session) -> None:
        self._sessions[session] = asyncio.current_task()
        self._count()
        try:
            code = await session.run()
            CLOSES.labels(str(code)).inc()
            log.info("live session ended", session=session.name, code=code)
        finally:
            del self._sessions[session]
            self._count()

    async def stop(self) -> None:
        """Tells every browser to come back, to whoever answers next."""
        tasks = [task for task in self._sessions.values() if task is not None]
        for session in list(self._sessions):
            session.end(CloseCode.CLOSE_CODE_SHUTDOWN, "the gateway stops or restarts")
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECS)

    def _count(self) -> None:
        self.hub.sessions = len(self._sessions)
        SESSIONS.set(len(self._sessions))


def _too_many() -> LabError:
    return LabError(
        f"{MAX_SESSIONS} live sockets are open, which is the limit",
        code=Code.RESOURCE_EXHAUSTED,
        reason=error_pb2.ERROR_REASON_OVER_LIMIT,
        metadata={"limit": str(MAX_SESSIONS), "requested": str(MAX_SESSIONS + 1)},
    )
